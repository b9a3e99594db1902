import type { ServiceStatus } from '../../proxy/protocol.ts'
import { useKeys } from '../keys.ts'
import { allServices, type Model } from '../model/model.ts'
import { timeOfDay } from '../model/words.ts'
import { ProblemList } from '../parts/problem-list.tsx'
import { ServiceActions } from '../parts/service-actions.tsx'
import { StateMark } from '../parts/state-mark.tsx'
import { serviceHref } from '../route.ts'
import { useModel } from '../store.ts'

const troubled = (model: Model): ServiceStatus[] =>
  allServices(model).filter(({ state }) => state === 'failed' || state === 'conflict')

/** Configurations, conflicts and failures, for the count beside the word. */
export const problemCount = (model: Model): number =>
  troubled(model).length + model.projects.reduce((count, { problems }) => count + problems.length, 0)

/** Everything that is not as it should be, and what to do about it. */
export function Problems() {
  const model = useModel()
  useKeys({ Escape: () => location.assign('#/') })
  const services = troubled(model)
  const notices = model.notices.filter(({ isOwn, level }) => !isOwn && level !== 'info').toReversed()
  return (
    <section className="problem-page" aria-labelledby="problems-title">
      <h2 id="problems-title">Problems</h2>
      {problemCount(model) === 0 && (
        <p className="empty">
          None. A service that fails, a port that somebody else has, and a configuration that cannot be read
          appear here with what to do.
        </p>
      )}
      {model.projects.map(({ id, dir, problems }) => (
        <ProblemList key={id} problems={problems} dir={dir} />
      ))}
      <ul className="troubles">
        {services.map((service) => (
          <li key={service.id}>
            <Trouble service={service} />
          </li>
        ))}
      </ul>
      {notices.length > 0 && (
        <>
          <h3>Said before</h3>
          <ul className="notices">
            {notices.map(({ key, at, about, message, level }) => (
              <li key={key} className={`notice-${level}`}>
                <time dateTime={at}>{timeOfDay(at)}</time>
                <span>
                  {about && <b>{about}</b>} {message}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

function Trouble({ service }: { service: ServiceStatus }) {
  return (
    <article className="trouble" aria-label={service.id}>
      <div>
        <h3>
          <a href={serviceHref(service.id)}>{service.id}</a>
        </h3>
        <StateMark state={service.state} />
        <p>{service.reason.message}</p>
        {service.reason.hint && <p className="soft">{service.reason.hint}</p>}
      </div>
      <ServiceActions service={service} />
    </article>
  )
}
