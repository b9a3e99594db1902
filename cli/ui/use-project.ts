import { useSyncExternalStore } from 'react'
import type { ProjectStore, ProjectView } from './project-store.ts'

/** The project as of the latest frame. */
export const useProject = (store: ProjectStore): ProjectView =>
  useSyncExternalStore(store.subscribe, store.view)
