import type { ServiceStatus } from '../../proxy/protocol.ts'
import { useFreeing } from './free-dialog.tsx'
import { actionsOf, conflictOf, useVerb } from './use-actions.ts'

/** The buttons of a service. */
export function ServiceActions({ service }: { service: ServiceStatus }) {
  const { busy, perform } = useVerb(service.id)
  const free = useFreeing()
  const conflict = conflictOf(service)
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form's fields
    <div className="actions" role="group" aria-label={`actions of ${service.name}`}>
      {conflict?.port && (
        <button type="button" className="primary" onClick={() => free(conflict.port ?? 0)}>
          Free {conflict.port}…
        </button>
      )}
      {actionsOf(service).map(({ verb, label, title }) => (
        <button
          key={verb}
          type="button"
          title={title}
          aria-label={`${label} ${service.name}`}
          aria-busy={busy === verb}
          disabled={busy !== null}
          onClick={() => perform(verb)}
        >
          {label}
        </button>
      ))}
    </div>
  )
}
