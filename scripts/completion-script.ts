/**
 * What a shell needs to know to complete a command line, and the same in the words of each shell.
 *
 * The script holds all names, so that a press of the tab key starts no program.
 */
export interface Completable {
  readonly name: string;
  readonly about: string;
  readonly options: readonly {
    readonly short?: string | undefined;
    readonly long?: string | undefined;
    readonly about: string;
  }[];
}

interface Values {
  /** Behind an option. */
  readonly options: Readonly<Record<string, readonly string[]>>;
  /** As words of a command. */
  readonly commands: Readonly<Record<string, readonly string[]>>;
}

interface Script {
  readonly commands: readonly Completable[];
  readonly values: Values;
}

export function completionScript(commands: readonly Completable[], values: Values): Script {
  return { commands, values };
}

export const shells = { bash, zsh, fish } as const;

function optionWords({ options }: Completable): string[] {
  return options.flatMap(({ short, long }) => [short, long].filter((one) => one !== undefined));
}

/** Names separated by commas are completed behind the last comma. */
function bash({ commands, values }: Script): string {
  const ofOption = Object.entries(values.options).map(
    ([option, names]) => `    ${option}) words="${names.join(" ")}" ;;`,
  );
  const ofCommand = commands.map((command) => {
    const names = values.commands[command.name] ?? [];
    return `    ${command.name}) words="${[...names, ...optionWords(command), "--help"].join(" ")}" ;;`;
  });
  return `_shadewalk() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words="" list=""
  case "$before" in
${ofOption.join("\n")}
  esac
  if [[ -n "$words" && "$current" == *,* ]]; then
    list="\${current%,*},"
    current="\${current##*,}"
  elif [[ -z "$words" && $COMP_CWORD -eq 1 ]]; then
    words="${commands.map(({ name }) => name).join(" ")} --help --version"
  elif [[ -z "$words" ]]; then
    case "\${COMP_WORDS[1]}" in
${ofCommand.join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -P "$list" -- "$current"))
  [[ -z "$words" || \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _shadewalk shadewalk`;
}

function zsh(script: Script): string {
  return `autoload -U +X bashcompinit && bashcompinit
${bash(script)}`;
}

function fish({ commands, values }: Script): string {
  const line = (...words: readonly string[]) => ["complete -c shadewalk", ...words].join(" ");
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  return commands
    .flatMap((command) => {
      const within = `-n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`;
      const names = values.commands[command.name];
      return [
        line("-n __fish_use_subcommand", "-a", command.name, "-d", quoted(command.about)),
        ...(names === undefined ? [] : [line(within, "-a", quoted(names.join(" ")))]),
        ...command.options.map(({ short, long, about }) => {
          const known = values.options[long ?? ""];
          return line(
            within,
            ...(short === undefined ? [] : ["-s", short.replace(/^-/, "")]),
            ...(long === undefined ? [] : ["-l", long.replace(/^--/, "")]),
            ...(known === undefined ? [] : ["-x", "-a", quoted(known.join(" "))]),
            "-d",
            quoted(about),
          );
        }),
      ];
    })
    .join("\n");
}
