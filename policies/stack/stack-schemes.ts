/** The ways to keep a shadow stack: a new one is a line here. */
import { ACC_EXEC } from "../../machine/formats/x86-entry.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { answeringStackCalls, type StackCalls } from "../../hypervisor/policy/stack-calls.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";
import { eptHlat } from "../../engines/ept-hlat.ts";
import { eptViews } from "../../engines/ept-views.ts";
import { eptShadowStacks } from "../../engines/ept-shadow-stacks.ts";
import { engines } from "../../engines/index.ts";
import { frames, guarded } from "../attack/layout.ts";
import type { Scheme } from "../attack/scheme.ts";
import { plainEpt } from "../attack/schemes.ts";
import { type Pop, pops, type Push, pushes } from "./stack-program.ts";

export interface StackScheme extends Scheme {
  readonly push: Push;
  /** Absent: by an ordinary load. */
  readonly pop?: Pop;
  /** Does the guest's own entry let the program store to T? Otherwise it is read-only to it. */
  readonly isOpen?: boolean;
  /** Is it here to show a rule broken, at which the oracle stops? */
  readonly mayBreak?: boolean;
}

const stack: PolicyRule = { kind: "stack-frames", start: frames.target, frames: 1 };
const page: PolicyRule = {
  kind: "lock-pages",
  start: guarded,
  pages: 1,
  first: frames.target,
  access: ACC_EXEC,
};
const monitored: readonly PolicyRule[] = [
  { kind: "monitor-frames", start: frames.target, frames: 1, programs: "read" },
  { kind: "monitor-code", start: frames.monitor, frames: 1 },
];

const answering =
  (options: Omit<StackCalls, "frame"> = {}) =>
  (hypervisor: Hypervisor): Hypervisor =>
    answeringStackCalls(hypervisor, { frame: frames.target, ...options });

/** Shadow stacks in silicon: CALL and RET reach them, ordinary stores do not. */
const bySilicon = { push: pushes.silicon, pop: pops.silicon, shadowStacks: true } as const;

const byCall = { push: pushes.hypercall, answering: answering() } as const;

const all = {
  none: {
    title: "EPT, an ordinary page: nothing guards it",
    engine: plainEpt,
    rules: [],
    push: pushes.store,
    isOpen: true,
  },
  "call-ept": {
    title: "EPT, frame locked, pushed to by a call of the hypervisor",
    engine: plainEpt,
    rules: [stack],
    ...byCall,
  },
  "call-ept-hlat": {
    title: "the same, page pinned by HLAT",
    engine: eptHlat({ upperHalfOnly: true }),
    rules: [stack, page],
    ...byCall,
  },
  "call-shadow": {
    title: "shadow, page and frame locked, pushed to by a call",
    engine: engines.shadow,
    rules: [stack, page],
    ...byCall,
  },
  "call-shadow-lazy": {
    title: "lazy shadow (kvm-6.12), the same",
    engine: engines["kvm-6.12"],
    rules: [stack, page],
    ...byCall,
  },
  "call-unchecked": {
    title: "shadow, the call's register believed",
    engine: engines.shadow,
    rules: [stack, page],
    push: pushes.hypercall,
    answering: answering({ trustsRegisters: true }),
  },
  window: {
    title: "EPT, writable in the monitor's view alone (VMFUNC)",
    engine: eptViews(),
    rules: monitored,
    push: pushes.window,
    isOpen: true,
  },
  "window-left-open": {
    title: "the same, the view left open after a push",
    engine: eptViews(),
    rules: monitored,
    push: pushes.leftOpen,
    isOpen: true,
  },
  "window-left-open-to-all": {
    title: "the same, and any code runs in it",
    engine: eptViews({ monitorRunsAll: true }),
    mayBreak: true,
    rules: monitored,
    push: pushes.leftOpen,
    isOpen: true,
  },
  "cet-ept": {
    title: "EPT, shadow stacks in silicon, nothing locked",
    engine: plainEpt,
    rules: [],
    ...bySilicon,
  },
  "cet-ept-sss": {
    title: "the same, EPT says where the supervisor's are (SSS)",
    engine: eptShadowStacks,
    rules: [stack],
    ...bySilicon,
  },
  "cet-shadow": {
    title: "shadow, shadow stacks in silicon, nothing locked",
    engine: engines.shadow,
    rules: [],
    ...bySilicon,
  },
  "cet-shadow-lock": {
    title: "the same, page and frame locked",
    engine: engines.shadow,
    rules: [stack, page],
    ...bySilicon,
  },
} as const satisfies Record<string, StackScheme>;

export type StackSchemeName = keyof typeof all;
export const stackSchemes: Readonly<Record<StackSchemeName, StackScheme>> = all;
export const stackSchemeNames = Object.keys(stackSchemes) as StackSchemeName[];
