/**
 * The text of a systemd unit that keeps `gatepost serve` running.
 *
 * What a unit forbids, it forbids to every hook. So the choice is not how much can be forbidden but what no hook may
 * reasonably need; a hook deploys, restarts services, starts containers, leaves files in /tmp. Each choice has its reason
 * beside it, for whoever wants it otherwise; `strict` is for hooks that need none of that. Two things hooks do need at
 * some places, and they are dangerous: sudo, and mail through a setuid program. Those are for whoever asks (`setuid`).
 * The options of mounts need a user namespace in a unit without privileges, so a user's unit has none of them.
 *
 * Pure: the same call gives the same text. Proved by test/e2e/service.test.ts.
 */
import { GatepostError } from "../../core/errors.ts";
import { requirePlain, seal } from "./sealed.ts";

/** What the unit starts, and what it forbids. */
export type UnitOptions = {
  scope: "system" | "user";
  /** Absolute paths. */
  node: string;
  program: string;
  /** Homes or repositories to serve; none: every registered one. */
  names: readonly string[];
  env: Readonly<Record<string, string>>;
  strict: boolean;
  /** Hooks may call sudo and other setuid programs. */
  setuid: boolean;
};

/** Throws GP_USAGE where a path cannot be named in a unit. */
export function unitText(options: UnitOptions): string {
  const { scope, node, program, names, env, strict, setuid } = options;
  if (/["'\\]/.test(node))
    throw new GatepostError("GP_USAGE", `systemd starts no program with a quote or backslash in its path: ${node}`, {
      hint: "Call gatepost by a Node in another folder.",
    });
  const isSystem = scope === "system";
  const served = ["serve", ...(names.length === 0 ? [] : ["--", ...names])].map(argument);
  const lines = [
    `# To change something: systemctl ${isSystem ? "" : "--user "}edit gatepost (kept apart from this file, which install writes anew).`,
    "",
    "[Unit]",
    "Description=Gatepost, which runs the hooks of repositories",
    ...(isSystem ? ["After=network.target remote-fs.target nss-user-lookup.target"] : []),
    "",
    "[Service]",
    "# Ready when every home was looked at once, which may take a while where there are very many.",
    "Type=notify",
    "TimeoutStartSec=15min",
    ...(isSystem
      ? ["# Only the main process speaks for the service: a user's hook cannot."]
      : [
          "# Messages come from systemd-notify, a child; telling it from a hook takes privileges that there are none of.",
        ]),
    `NotifyAccess=${isSystem ? "main" : "all"}`,
    `ExecStart=${word(node)} ${argument(program)} ${served.join(" ")}`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    ...Object.entries(env).map(([name, value]) => `Environment=${word(`${name}=${value}`)}`),
    "# A folder that is no repository: it would be served alone.",
    "WorkingDirectory=/",
    "WatchdogSec=60",
    "Restart=on-failure",
    "RestartSec=10",
    "# A call that is wrong stays wrong.",
    "RestartPreventExitStatus=2",
    "# TERM goes to Gatepost, which ends the hooks in order; what is left then is killed.",
    "KillMode=mixed",
    "# Longer than any hook's grace (gatepost settings grace).",
    "TimeoutStopSec=90",
    "# A hook that uses up the memory is a failed run, no reason to stop.",
    "OOMPolicy=continue",
    "",
    ...(setuid ? setuidChoices : privilegeChoices),
    ...(isSystem ? systemChoices : []),
    ...(isSystem || !setuid ? commonChoices : []),
    "# Not: ProtectHome, PrivateUsers. Homes and their owners are the very matter.",
    "# Not: RestrictSUIDSGID. Git sets setgid on the folders of a shared repository.",
    ...(strict ? strictChoices(isSystem) : looseChoices),
    "",
    "[Install]",
    `WantedBy=${isSystem ? "multi-user.target" : "default.target"}`,
    "",
  ];
  return seal(lines.join("\n"));
}

const systemChoices = [
  "# /usr, /boot and /etc are read-only. A hook that deploys there, or a home there (etckeeper), needs ReadWritePaths=/etc.",
  "ProtectSystem=full",
  "# No hook loads a kernel module.",
  "ProtectKernelModules=yes",
  "# Not: ProtectKernelTunables, ProtectKernelLogs, ProtectControlGroups, ProtectHostname, RestrictNamespaces. Containers",
  "# that a hook starts need what these take away. Nor ProtectClock, PrivateDevices: they take devices such as /dev/fuse.",
];

const privilegeChoices = [
  "# No program that a hook starts gets more rights than it has: not by sudo, nor by a setuid sendmail. Where hooks need",
  "# them: gatepost service install --setuid",
  "NoNewPrivileges=yes",
];

const setuidChoices = ["# Not: NoNewPrivileges. As --setuid asked, hooks may call sudo and sendmail."];

/** What implies NoNewPrivileges in a unit without privileges. */
const commonChoices = [
  "# No hook needs real-time priority, or poses as another system.",
  "LockPersonality=yes",
  "RestrictRealtime=yes",
];

const looseChoices = [
  "# Not: PrivateTmp. Others may have to read what a hook leaves in /tmp. (gatepost service install --strict)",
];

const strictChoices = (isSystem: boolean): string[] => [
  "# As --strict asked: no hook needs containers, or a /tmp that others see.",
  ...(isSystem
    ? [
        "PrivateTmp=yes",
        "ProtectKernelTunables=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectClock=yes",
        "RestrictNamespaces=yes",
      ]
    : ["RestrictNamespaces=yes"]),
  "SystemCallArchitectures=native",
];

/** A word of a unit's line: in quotes, with what means something there taken literally. */
const word = (text: string): string => `"${requirePlain(text).replace(/[\\"]/g, "\\$&").replaceAll("%", "%%")}"`;

/** The same as an argument of a command, where a variable would be put in; the program itself is taken literally. */
const argument = (text: string): string => word(text).replaceAll("$", "$$$$");

/** The words of the ExecStart line, as systemd would read them; null where there is no such line. */
export function commandOf(unit: string): string[] | null {
  const [, line] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  if (line === undefined) return null;
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, inQuotes, bare = ""], at) => {
    const text = (inQuotes ?? bare).replace(/\\(.)/g, "$1").replaceAll("%%", "%");
    return at === 0 ? text : text.replaceAll("$$", "$");
  });
}
