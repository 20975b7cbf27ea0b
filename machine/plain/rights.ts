/** What a path through tables allows, as the plain unit says it. */
import {
  type EntryFormat,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  SUPERVISOR_MAY_EXECUTE,
  USER_MAY,
} from "../formats/format.ts";

/** Rights of an entry, or of a path of entries: the AND of theirs. */
export interface Rights {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  /** The same of the supervisor, where modes have rights of their own; else as `execute`. */
  readonly supervisorExecute: boolean;
  readonly user: boolean;
  /** Do all tables on the path let walks write to them by their paging-write bit? True where there is none. */
  readonly verified: boolean;
}

export const allRights: Rights = {
  read: true,
  write: true,
  execute: true,
  supervisorExecute: true,
  user: true,
  verified: true,
};

export function bothRights(a: Rights, b: Rights): Rights {
  return {
    read: a.read && b.read,
    write: a.write && b.write,
    execute: a.execute && b.execute,
    supervisorExecute: a.supervisorExecute && b.supervisorExecute,
    user: a.user && b.user,
    verified: a.verified && b.verified,
  };
}

export function rightsFrom(
  { fetchesByMode }: Pick<EntryFormat, "fetchesByMode">,
  bits: number,
  verified: boolean,
): Rights {
  return {
    read: (bits & MAY_READ) !== 0,
    write: (bits & MAY_WRITE) !== 0,
    execute: (bits & MAY_EXECUTE) !== 0,
    supervisorExecute: (bits & (fetchesByMode ? SUPERVISOR_MAY_EXECUTE : MAY_EXECUTE)) !== 0,
    user: (bits & USER_MAY) !== 0,
    verified,
  };
}

/** May a page with these rights be fetched from in this mode? */
export function mayFetch(
  { execute, supervisorExecute }: Pick<Rights, "execute" | "supervisorExecute">,
  user: boolean,
): boolean {
  return user ? execute : supervisorExecute;
}
