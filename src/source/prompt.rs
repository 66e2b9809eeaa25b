//! Prompts of a terminal capture: which lines are surely a prompt, with or without an echoed command.
//!
//! Not a list of vendors' prompts: the shapes are host words, a mode in parentheses, a sign, and then a command that
//! only shows something. A statement that somebody typed behind a prompt stays visible. When in doubt a line stays: a
//! prompt that stays is one unrecognised line, a statement that goes is a missed exposure.

use memchr::{memchr3_iter, memmem};

use super::noise::Page;

/// Commands that show or page or leave, right behind `host#`.
const COMMANDS: [&str; 30] = [
    "show",
    "sho",
    "sh",
    "get",
    "less",
    "display",
    "disp",
    "dis",
    "terminal",
    "term",
    "exit",
    "end",
    "more",
    "quit",
    "logout",
    "enable",
    "en",
    "export",
    "print",
    "cat",
    "uci show",
    "uci export",
    "iptables-save",
    "ip6tables-save",
    "nft list",
    "no pager",
    "no cli pager",
    "set cli",
    "set clienv",
    "screen-length",
];

/// What may follow `show` or `get` behind `host #`, where the sign stands apart and could begin a comment.
const SUBJECTS: [&str; 24] = [
    "|",
    "full-configuration",
    "full",
    "system",
    "firewall",
    "vpn",
    "user",
    "router",
    "log",
    "hardware",
    "config",
    "configuration",
    "current-config",
    "running-config",
    "startup-config",
    "run",
    "running",
    "version",
    "tech-support",
    "techinfo",
    "environment",
    "status",
    "ns",
    "ip",
];

/// How far a sign may stand from the start of its line.
const LONGEST: usize = 96;
/// How many different hosts one capture is searched for.
const MOST_HOSTS: usize = 16;

/// Blanks prompt lines: those with a command that only shows, bare ones of the same hosts, and a bare one at the end.
pub(super) fn blank_prompts(page: &mut Page<'_>) {
    let bytes = page.bytes();
    let mut lines: Vec<(usize, usize)> = Vec::new();
    let mut hosts: Vec<Vec<u8>> = Vec::new();
    let mut remember = |host: &[u8]| {
        if !host.is_empty() && hosts.len() < MOST_HOSTS && !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_vec());
        }
    };
    for sign in memchr3_iter(b'#', b'>', b'$', bytes) {
        let behind = bytes.get(sign + 1..).unwrap_or_default();
        let letter = behind.iter().take(3).find(|&&byte| byte != b' ').copied().unwrap_or(b'\n');
        if !STARTS_COMMAND[usize::from(letter)] {
            continue;
        }
        let floor = sign.saturating_sub(LONGEST);
        let before = bytes.get(floor..sign).unwrap_or_default();
        let start = match memchr::memrchr(b'\n', before) {
            Some(newline) => floor + newline + 1,
            None if floor == 0 => 0,
            None => continue,
        };
        let end = memchr::memchr(b'\n', behind).map_or(bytes.len(), |newline| sign + 1 + newline);
        let line = bytes.get(start..end).unwrap_or_default();
        if let Some(host) = prompt_with_command(line, sign - start) {
            remember(host);
            lines.push((start, end));
        }
    }
    let last = bytes.trim_ascii_end();
    let start = memchr::memrchr(b'\n', last).map_or(0, |newline| newline + 1);
    let line = last.get(start..).unwrap_or_default();
    // `nobind #` is a statement with an empty comment: where the sign stands apart, the word must look like a host.
    let host = bare_prompt(line).filter(|host| line.get(host.len()) != Some(&b' ') || line.contains(&b'(') || is_named(host));
    if let Some(host) = host.or((line == b">").then_some(b"")) {
        remember(host);
        lines.push((start, start + line.len()));
    }
    for host in &hosts {
        for place in memmem::find_iter(bytes, host) {
            if place > 0 && bytes.get(place - 1) != Some(&b'\n') {
                continue;
            }
            let rest = bytes.get(place..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest.get(..2 * LONGEST).unwrap_or(rest)) else { continue };
            if bare_prompt(rest.get(..end).unwrap_or_default()).is_some_and(|found| found == host) {
                lines.push((place, place + end));
            }
        }
    }
    for (start, end) in lines {
        blank_mode_line(page, start);
        page.blank(start, end);
    }
}

/// Some boxes print their cluster role or edit level on a line of its own above the prompt: `{primary:node0}`, `[edit]`.
fn blank_mode_line(page: &mut Page<'_>, prompt: usize) {
    let Some(newline) = prompt.checked_sub(1) else { return };
    let (start, end) = page.line_around(newline);
    let line = page.bytes().get(start..end).unwrap_or_default().trim_ascii_end();
    let role = |word: &[u8]| word.len() < 40 && word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-'));
    let is_mode = match line {
        [b'{', word @ .., b'}'] => !word.is_empty() && role(word),
        [b'[', b'e', b'd', b'i', b't', path @ .., b']'] => path.is_empty() || path.starts_with(b" "),
        _ => false,
    };
    if is_mode {
        page.blank(start, end);
    }
}

/// The host of a prompt line with a command, its sign at `sign`.
fn prompt_with_command(line: &[u8], sign: usize) -> Option<&[u8]> {
    let prompt = Prompt::parse(line.get(..sign)?, *line.get(sign)?)?;
    let rest = line.get(sign + 1..)?;
    let command = rest.trim_ascii();
    let sure = match prompt.form {
        Form::Glued => begins_with(command, &COMMANDS) && (line.get(sign) != Some(&b'$') || rest.starts_with(b" ")),
        Form::Bracket => begins_with(command.strip_prefix(b"/").unwrap_or(command), &COMMANDS),
        Form::Angle => begins_with(command, &["display", "disp", "dis", "screen-length"]) && !command.contains(&b'<'),
        Form::Apart if prompt.host.is_empty() || is_named(prompt.host) => begins_apart(command),
        // A lower-case word could be a statement and the rest its comment: only what no comment says.
        Form::Apart => [b"show".as_slice(), b"show full-configuration", b"get system status"].contains(&command),
    };
    sure.then_some(prompt.host)
}

/// The host of a line that is a prompt and nothing else.
fn bare_prompt(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_end();
    let (&sign, before) = line.split_last()?;
    if !matches!(sign, b'#' | b'>' | b'$') {
        return None;
    }
    let prompt = Prompt::parse(before, sign)?;
    let plausible = match prompt.form {
        Form::Bracket | Form::Apart => !prompt.host.is_empty(),
        Form::Glued => sign != b'$' || prompt.host.contains(&b'@'),
        Form::Angle => false,
    };
    plausible.then_some(prompt.host)
}

enum Form {
    /// `host#`, `host(config)#`, `user@host>`.
    Glued,
    /// `host #`, `host (policy) #`, `host $`, or no host at all before `>`.
    Apart,
    /// `[user@host] >`, `[user@host dir]#`.
    Bracket,
    /// `<host>`.
    Angle,
}

struct Prompt<'a> {
    host: &'a [u8],
    form: Form,
}

impl<'a> Prompt<'a> {
    /// Reads what stands before the sign, from the start of the line.
    fn parse(before: &'a [u8], sign: u8) -> Option<Prompt<'a>> {
        let words = before.trim_ascii_end();
        match words.first() {
            None => (sign == b'>' && before.is_empty()).then_some(Prompt { host: words, form: Form::Apart }),
            Some(b'<') => {
                let host = words.get(1..)?;
                (sign == b'>' && host_length(host) == host.len() && has_letter(host)).then_some(Prompt { host, form: Form::Angle })
            }
            Some(b'[') => {
                let close = memchr::memchr(b']', words)?;
                let host = words.get(..=close)?;
                let path = words.get(close + 1..)?;
                let is_path = path.is_empty() || path.starts_with(b" /") || path.starts_with(b"/");
                (host.contains(&b'@') && is_path && !path.contains(&b']')).then_some(Prompt { host, form: Form::Bracket })
            }
            Some(_) => {
                let length = host_length(words);
                let host = words.get(..length)?;
                let mut rest = words.get(length..)?;
                let mut modes = 0;
                while !rest.is_empty() {
                    let group = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"(")?;
                    let close = memchr::memchr(b')', group)?;
                    if modes == 2 || group.get(..close)?.contains(&b'(') {
                        return None;
                    }
                    rest = group.get(close + 1..)?;
                    modes += 1;
                }
                let form = if words.len() < before.len() { Form::Apart } else { Form::Glued };
                ((host.first()?.is_ascii_alphanumeric() || !host.first()?.is_ascii())
                    && has_letter(host)
                    && memmem::find(host, b"//").is_none())
                .then_some(Prompt { host, form })
            }
        }
    }
}

/// The first letters of [`COMMANDS`], and the slash some shells take before them.
const STARTS_COMMAND: [bool; 256] = {
    let mut table = [false; 256];
    table[b'/' as usize] = true;
    let mut index = 0;
    while index < COMMANDS.len() {
        table[COMMANDS[index].as_bytes()[0] as usize] = true;
        index += 1;
    }
    table
};

/// Whether the word is written as names of hosts are and keywords are not: with a capital, a digit, `_` or `@`.
fn is_named(host: &[u8]) -> bool {
    host.iter().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || !byte.is_ascii() || matches!(byte, b'_' | b'@'))
}

fn has_letter(host: &[u8]) -> bool {
    host.iter().any(|byte| byte.is_ascii_alphabetic())
}

/// How many bytes at the head can be part of a host word, a user before it or a place behind it.
fn host_length(words: &[u8]) -> usize {
    words.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"._-@:/~+".contains(&byte)).count()
}

/// Whether one of the commands stands at the head, as whole words.
fn begins_with(command: &[u8], commands: &[&str]) -> bool {
    commands.iter().any(|known| {
        let rest = command.strip_prefix(known.as_bytes());
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'\t' | b'|')))
    })
}

/// The stricter test where the sign stands apart: `show`, `get` and `less` alone or with a subject, or a word that leaves.
fn begins_apart(command: &[u8]) -> bool {
    if [b"exit".as_slice(), b"end", b"quit", b"logout", b"show", b"get"].contains(&command) {
        return true;
    }
    ["show ", "get ", "less ", "sh "]
        .iter()
        .any(|verb| command.strip_prefix(verb.as_bytes()).is_some_and(|rest| begins_with(rest.trim_ascii_start(), &SUBJECTS)))
}

#[cfg(test)]
mod tests {
    use crate::source::clean;

    fn gone(line: &str) {
        let text = format!("before\n{line}\nafter\n");
        let cleaned = clean(&text).text;
        assert_eq!(cleaned.replace(' ', ""), "before\n\nafter\n", "{line}");
    }

    fn stays(text: &str) {
        assert_eq!(clean(text).text, text);
    }

    #[test]
    fn prompts_with_a_showing_command_go() {
        for line in [
            "FG_VM-Demo $ show",
            "FGT60F # show full-configuration",
            "FGT60F (policy) # show",
            "FGT60F # show firewall policy",
            "FGT60F # show | grep -f x",
            "FGT60F # get system status",
            "FGT60F # exit",
            "Router#show running-config",
            "S11-cEdge01#show sdwan running-config",
            "WRH-ASA# show run",
            "sw>en",
            "ciscoasa/pri/act(config)# show route",
            "user@host> show configuration | display set | no-more",
            "admin@PA-220(active)> show config running",
            "RTX1210> less config",
            "RTX1210# show config",
            "> show config",
            "ssg5-> get config",
            "RP/0/RSP0/CPU0:router#show run",
            "[admin@MikroTik] > export",
            "[admin@MikroTik] > /export hide-sensitive",
            "[admin@MikroTik] /ip firewall> print",
            "<H3C>display current-configuration",
            "root@OpenWrt:~# uci export network",
            "[root@fw ~]# iptables-save",
            "user@gw:~$ cat /config/config.boot",
            "ix01(config)# show running-config",
            "user@host> set cli screen-length 0",
            "本社FW# show running-config",
        ] {
            gone(line);
        }
    }

    #[test]
    fn statements_and_comments_stay() {
        stays("#config-version=FGT60F-7.4.4-FW-build2573-240101:opmode=0:vdom=0:user=admin\n#show running-config\n# show config\n");
        stays("persist-tun # more comments\nnobind # get addr from dhcp\nfloat # display only\nkeepalive 10 60 # show\n");
        stays("Router(config)#ip http server\nfw1 # config firewall policy\nuser@host# set system services telnet\n");
        stays("description Uplink> show\nbanner motd #show this#\nalias exec sr fw#show run\n");
        stays("<descr>display server</descr>\n<key>show</key>\n<x>\nexit\n");
        stays("admin:$6$show$abc\n$exit\nhttps://host/#get started\nset secret a$get\n! fw1# show run\n  fw1# show run\n");
        stays("[Interface]\n# show\n[x] > export\n:if ($a > get) do={}\n");
        stays("nobind # show ip of peer\nfloat # exit\nset a\npersist-tun #\n");
        gone("fortigate # show full-configuration");
        stays("fw1#showcase\nfw1#\nset a\nfw1>\nset b\n");
    }

    #[test]
    fn a_bare_prompt_goes_at_the_end_or_beside_one_that_is_sure() {
        for prompt in ["cp-mgmt>", "ciscoasa(config)# ", "FGT60F # ", "FGT60F (global) $ ", "> ", "user@host> ", "[admin@MikroTik] > "] {
            let text = format!("set a\n{prompt}\n\n");
            assert_eq!(clean(&text).text.trim_end(), "set a", "{prompt}");
        }
        let text = "fw1(config)# \nfw1# \nfw2# \nfw1# show run\nset a\nfw1#";
        let lines: Vec<String> = clean(text).text.lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(lines, ["", "", "fw2#", "", "set a", ""]);
    }

    #[test]
    fn an_element_or_a_delimiter_at_the_end_stays() {
        for text in [
            "<a>\n</pfsense>\n",
            "x\n</key>",
            "banner motd # Authorized\nusers only#\n",
            "a\nname \"x\">\n",
            "### BELOW ###\n",
            "price 5$\n",
        ] {
            stays(text);
        }
    }

    #[test]
    fn the_mode_line_above_a_prompt_goes() {
        let text = "set a\n\n{primary:node0}\nuser@srx> show configuration\ninterfaces {\n}\n{master:0}[edit]\n";
        assert_eq!(clean(text).text.split_whitespace().collect::<Vec<_>>(), ["set", "a", "interfaces", "{", "}", "{master:0}[edit]"]);
        assert_eq!(clean("[edit]\nuser@srx# show\nset a\n").text.trim(), "set a");
    }
}
