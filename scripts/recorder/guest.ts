/**
 * The guest that is recorded: what its first program does, and the machine that it runs on.
 *
 * One vCPU, memory in one piece, ports and no other devices, as in the recordings of the ground truth. Time follows the
 * instructions, so that a slow recorder does not flood the guest with ticks, and two recordings are the same.
 */
import type { GuestFile } from "./initrd.ts";

export interface GuestMachine {
  readonly memoryMib: number;
  /** Does the kernel isolate its page tables? */
  readonly kpti: boolean;
}

/** Each command is a phase, run once before the recording, so that what it reads is in the page cache. */
export function guestFiles(commands: readonly string[]): GuestFile[] {
  const phases = commands.map((command, i) => text(`phases/${i + 1}.sh`, `${command}\n`));
  const numbers = commands.map((_, i) => i + 1);
  // The byte 1 begins, the last is 0; those between only end a phase.
  const marks = commands.map((_, i) => (i + 1 === commands.length ? 0 : i + 2));
  const run = (number: number, to: string) => `sh /phases/${number}.sh </dev/null >${to} 2>&1`;
  const init = [
    "#!/busybox sh",
    "/busybox mount -t devtmpfs dev /dev",
    "/busybox mount -t proc proc /proc",
    "/busybox --install -s /bin",
    "export PATH=/bin:/usr/bin:/sbin:/usr/sbin HOME=/tmp",
    "cd /tmp",
    ...numbers.map((number) => run(number, "/dev/null")),
    "/mark 1",
    ...numbers.flatMap((number, i) => [
      `${run(number, `/tmp/out.${number}`)}; echo $? >/tmp/status.${number}`,
      `/mark ${marks[i]}`,
    ]),
    ...numbers.map(
      (number) =>
        `echo "phase ${number}: exit code $(cat /tmp/status.${number})"; cat /tmp/out.${number}`,
    ),
    "reboot -f",
  ];
  return [text("init", `${init.join("\n")}\n`), ...phases];
}

function text(path: string, content: string): GuestFile {
  return { path, data: Buffer.from(content) };
}

export const guestFolders = ["bin", "dev", "proc", "tmp"] as const;

/** QEMU's options but for the accelerator, the kernel and its archive. */
export function machineOptions({ memoryMib, kpti }: GuestMachine): string[] {
  const append = [
    "console=ttyS0 quiet panic=-1 reboot=t rdinit=/init",
    "nokaslr mitigations=off transparent_hugepage=never",
    "acpi=off pci=off nolapic noapic tsc=reliable",
    kpti ? "pti=on" : "pti=off",
  ].join(" ");
  const machine = `-machine pc,acpi=off,hpet=off -cpu qemu64 -smp 1 -m ${memoryMib}M`;
  const devices = "-nodefaults -display none -vga none -serial stdio -no-reboot";
  return [...`${machine} ${devices}`.split(" "), "-append", append];
}

/** Only where the recorder runs: memory that it shares, and time by instructions. */
export function recordingOptions(memoryFile: string, { memoryMib }: GuestMachine): string[] {
  const backend = `memory-backend-file,id=ram,size=${memoryMib}M,mem-path=${memoryFile},share=on`;
  const time = "-accel tcg,thread=single -icount shift=1,sleep=off -rtc base=2026-01-01,clock=vm";
  return [...`${time} -seed 1 -machine memory-backend=ram`.split(" "), "-object", backend];
}

/** A shell script that boots the same guest, with whatever options it is given: under KVM, for `scripts/kvm-compare`. */
export function bootScript(machine: GuestMachine): string {
  const options = machineOptions(machine).map((word) =>
    /^[\w=.,-]+$/.test(word) ? word : `'${word}'`,
  );
  return `#!/bin/sh
# Boots the recorded guest; options such as -accel kvm come first.
here="$(dirname "$0")"
exec qemu-system-x86_64 "$@" -kernel "$here/vmlinuz" -initrd "$here/initrd" ${options.join(" ")}
`;
}
