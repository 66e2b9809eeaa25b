//! The command line. One file a command; here: arguments, language, exit statuses.
//!
//! Exit status: 0 no finding at or above `--fail-on`; 1 findings; 2 usage or configuration error; 3 some input could not be
//! analysed, or nothing to analyse was found (and no finding); 70 a fault of our own.

mod check;
mod diff;
mod dump;
mod error;
mod explain;
mod init;
mod list;
mod reach;
mod redact;

use crate::finding::Lang;
use crate::fleet::config::Config;
use crate::fleet::discover::{self, Found};
use crate::fleet::run::{self, Input};
use crate::lifecycle::Lifecycle;
use crate::rule::vulnerability::Knowledge;
use crate::texts::texts;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Lifecycle data that is more days old than this on the audit date is said to be old.
const OLD: i32 = 90;
/// Largest file that `--data` takes: 16 MiB.
const LARGEST_DATA: u64 = 16 << 20;

/// Names of the commands; anything else in the first place is a path for `check`.
const COMMANDS: [&str; 11] = ["check", "reach", "diff", "explain", "list", "dump", "redact", "init", "completions", "man", "help"];

/// Runs the program with these arguments (the program's name first) and gives its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.is_empty() {
        arguments.push("sekisho".into());
    }
    let flags = ["-h", "--help", "-V", "--version"];
    let plain = arguments.get(1).is_none_or(|a| COMMANDS.iter().chain(&flags).any(|c| a == *c));
    if !plain {
        arguments.insert(1, "check".into());
    }
    let lang = language(&arguments);
    faults_show_no_content(lang);
    let matches = match command(lang).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(e) => {
            let help = matches!(e.kind(), clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion);
            // A closed pipe is no error of ours.
            let _ = e.print();
            return ExitCode::from(if help { 0 } else { 2 });
        }
    };
    let done = match matches.subcommand() {
        Some(("check", m)) => check::run(m, lang),
        Some(("reach", m)) => reach::run(m, lang),
        Some(("diff", m)) => diff::run(m, lang),
        Some(("explain", m)) => explain::run(m, lang),
        Some(("list", m)) => list::run(m, lang),
        Some(("dump", m)) => dump::run(m, lang),
        Some(("redact", m)) => redact::run(m, lang),
        Some(("init", m)) => init::run(m, lang),
        Some(("completions", m)) => completions(m, lang),
        Some(("man", _)) => man(lang),
        _ => {
            let _ = command(lang).print_help();
            Ok(2)
        }
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(e) => {
            eprintln!("{}", e.message(lang));
            ExitCode::from(e.status())
        }
    }
}

/// A fault of our own names its place in the source and nothing else: the message of a panic may hold a piece of the text at hand.
fn faults_show_no_content(lang: Lang) {
    std::panic::set_hook(Box::new(move |fault| {
        let place = fault.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        eprintln!("{}", texts().fill(lang, "cli.fault", &[&place]));
    }));
}

/// `--lang`, then the locale: Japanese where it says so, else English.
fn language(arguments: &[OsString]) -> Lang {
    let words: Vec<String> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let after = words.iter().position(|w| w == "--lang").and_then(|ix| words.get(ix + 1)).map(String::as_str);
    let joined = words.iter().find_map(|w| w.strip_prefix("--lang="));
    match after.or(joined) {
        Some("ja") => return Lang::Ja,
        Some(_) => return Lang::En,
        None => {}
    }
    let set = ["SEKISHO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|v| std::env::var(v).ok()).find(|v| !v.is_empty());
    if set.is_some_and(|v| v.starts_with("ja")) { Lang::Ja } else { Lang::En }
}

/// The command line with all its texts in one language; completions and the man page are made from it too.
pub fn command(lang: Lang) -> Command {
    let t = |key: &'static str| texts().get(lang, key).to_owned();
    let lang_arg =
        Arg::new("lang").long("lang").value_name("LANG").value_parser(PossibleValuesParser::new(["ja", "en"])).help(t("cli.arg.lang"));
    let paths = Arg::new("paths")
        .value_name("PATH")
        .num_args(0..)
        .value_parser(clap::value_parser!(std::path::PathBuf))
        .value_hint(ValueHint::AnyPath)
        .help(t("cli.arg.paths"));
    let dialect = Arg::new("dialect").long("dialect").value_name("NAME").help(t("cli.arg.dialect"));
    let as_of = Arg::new("as-of").long("as-of").value_name("DATE").help(t("cli.arg.as_of"));
    let hash_budget = Arg::new("hash-budget")
        .long("hash-budget")
        .value_name("UNITS")
        .value_parser(clap::value_parser!(u64))
        .help(t("cli.arg.hash_budget"));
    let rules = Arg::new("rules")
        .long("rules")
        .value_name("PATH")
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(std::path::PathBuf))
        .value_hint(ValueHint::AnyPath)
        .help(t("cli.arg.rules"));
    let data = Arg::new("data")
        .long("data")
        .value_name("FILE")
        .value_parser(clap::value_parser!(std::path::PathBuf))
        .value_hint(ValueHint::FilePath)
        .help(t("cli.arg.data"));
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(std::path::PathBuf))
        .value_hint(ValueHint::FilePath)
        .help(t("cli.arg.config"));
    let redact_config = config.clone();
    let form = Arg::new("format")
        .long("format")
        .value_name("FORM")
        .value_parser(PossibleValuesParser::new(["text", "json"]))
        .default_value("text")
        .help(t("cli.arg.format"));
    let reach = Command::new("reach")
        .about(t("cli.about.reach"))
        .after_help(t("cli.after_help_reach"))
        .arg(
            Arg::new("path")
                .value_name("FILE")
                .required(true)
                .value_parser(clap::value_parser!(std::path::PathBuf))
                .value_hint(ValueHint::FilePath)
                .help(t("cli.arg.file")),
        )
        .arg(Arg::new("from").long("from").value_name("PLACE").help(t("cli.arg.from")))
        .arg(Arg::new("to").long("to").value_name("PLACE").help(t("cli.arg.to")))
        .arg(form.clone())
        .arg(dialect.clone())
        .arg(as_of.clone())
        .arg(config.clone())
        .arg(lang_arg.clone());
    let diff = Command::new("diff")
        .about(t("cli.about.diff"))
        .after_help(t("cli.after_help_diff"))
        .arg(
            Arg::new("files")
                .value_names(["OLD", "NEW"])
                .required(true)
                .num_args(1..=9)
                .value_parser(clap::value_parser!(std::path::PathBuf))
                .value_hint(ValueHint::FilePath)
                .help(t("cli.arg.old_new")),
        )
        .arg(form)
        .arg(Arg::new("exit-zero").long("exit-zero").action(ArgAction::SetTrue).help(t("cli.arg.exit_zero")))
        .arg(dialect.clone())
        .arg(as_of.clone())
        .arg(rules.clone())
        .arg(data.clone())
        .arg(config.clone())
        .arg(lang_arg.clone());
    let check = Command::new("check")
        .about(t("cli.about.check"))
        .arg(paths)
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORM")
                .value_parser(PossibleValuesParser::new(["text", "json", "sarif", "github"]))
                .default_value("text")
                .help(t("cli.arg.format")),
        )
        .arg(Arg::new("output").long("output").value_name("FORM=FILE").action(ArgAction::Append).help(t("cli.arg.output")))
        .arg(Arg::new("only").long("only").value_name("RULE").action(ArgAction::Append).value_delimiter(',').help(t("cli.arg.only")))
        .arg(
            Arg::new("fail-on")
                .long("fail-on")
                .value_name("SEVERITY")
                .value_parser(PossibleValuesParser::new(["error", "warning", "note", "never"]))
                .help(t("cli.arg.fail_on")),
        )
        .arg(dialect.clone())
        .arg(as_of.clone())
        .arg(rules.clone())
        .arg(data.clone())
        .arg(hash_budget.clone())
        .arg(config)
        .arg(
            Arg::new("color")
                .long("color")
                .value_name("WHEN")
                .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
                .default_value("auto")
                .help(t("cli.arg.color")),
        )
        .arg(Arg::new("ascii").long("ascii").action(ArgAction::SetTrue).help(t("cli.arg.ascii")))
        .arg(
            Arg::new("width")
                .long("width")
                .value_name("COLUMNS")
                .value_parser(clap::value_parser!(u16).range(40..))
                .help(t("cli.arg.width")),
        )
        .arg(Arg::new("verbose").short('v').long("verbose").action(ArgAction::SetTrue).help(t("cli.arg.verbose")))
        .arg(Arg::new("quiet").short('q').long("quiet").action(ArgAction::SetTrue).help(t("cli.arg.quiet")))
        .arg(lang_arg.clone());
    Command::new("sekisho")
        .version(env!("CARGO_PKG_VERSION"))
        .about(t("cli.about.program"))
        .after_help(t("cli.after_help"))
        .arg_required_else_help(true)
        .disable_help_subcommand(false)
        .subcommand(check)
        .subcommand(reach)
        .subcommand(diff)
        .subcommand(
            Command::new("explain")
                .about(t("cli.about.explain"))
                .arg(Arg::new("what").value_name("RULE|CONTROL").required(true).help(t("cli.arg.what")))
                .arg(rules.clone())
                .arg(lang_arg.clone()),
        )
        .subcommand(
            Command::new("list")
                .about(t("cli.about.list"))
                .arg(
                    Arg::new("what")
                        .value_name("WHAT")
                        .required(true)
                        .value_parser(PossibleValuesParser::new(["dialects", "rules", "controls", "data"]))
                        .help(t("cli.arg.list")),
                )
                .arg(rules)
                .arg(data.clone())
                .arg(as_of.clone())
                .arg(lang_arg.clone()),
        )
        .subcommand(
            Command::new("dump")
                .about(t("cli.about.dump"))
                .arg(
                    Arg::new("path")
                        .value_name("FILE")
                        .required(true)
                        .value_parser(clap::value_parser!(std::path::PathBuf))
                        .value_hint(ValueHint::FilePath)
                        .help(t("cli.arg.file")),
                )
                .arg(dialect.clone())
                .arg(as_of)
                .arg(data)
                .arg(hash_budget)
                .arg(lang_arg.clone()),
        )
        .subcommand(
            Command::new("redact")
                .about(t("cli.about.redact"))
                .after_help(t("cli.after_help_redact"))
                .arg(
                    Arg::new("path")
                        .value_name("FILE")
                        .required(true)
                        .value_parser(clap::value_parser!(std::path::PathBuf))
                        .value_hint(ValueHint::FilePath)
                        .help(t("cli.arg.file")),
                )
                .arg(
                    Arg::new("output")
                        .long("output")
                        .short('o')
                        .value_name("FILE")
                        .value_parser(clap::value_parser!(std::path::PathBuf))
                        .value_hint(ValueHint::FilePath)
                        .help(t("cli.arg.redacted")),
                )
                .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help(t("cli.arg.force")))
                .arg(dialect)
                .arg(redact_config)
                .arg(lang_arg.clone()),
        )
        .subcommand(
            Command::new("init")
                .about(t("cli.about.init"))
                .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help(t("cli.arg.force")))
                .arg(lang_arg.clone()),
        )
        .subcommand(
            Command::new("completions")
                .about(t("cli.about.completions"))
                .arg(
                    Arg::new("shell")
                        .value_name("SHELL")
                        .required(true)
                        .value_parser(clap::value_parser!(clap_complete::Shell))
                        .help(t("cli.arg.shell")),
                )
                .arg(lang_arg.clone()),
        )
        .subcommand(Command::new("man").about(t("cli.about.man")).arg(lang_arg))
}

fn completions(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let mut out = Vec::new();
    if let Some(shell) = matches.get_one::<clap_complete::Shell>("shell") {
        clap_complete::generate(*shell, &mut command(lang), "sekisho", &mut out);
    }
    print_bytes(&out)
}

fn man(lang: Lang) -> Result<u8, Error> {
    let mut out = Vec::new();
    clap_mangen::Man::new(command(lang)).render(&mut out).map_err(|e| Error::Write { path: "-".into(), why: e.to_string() })?;
    print_bytes(&out)
}

/// Writes to standard output; a reader that closed its end is no error.
fn print_bytes(bytes: &[u8]) -> Result<u8, Error> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(bytes) {
        Ok(()) => Ok(0),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(0),
        Err(e) => Err(Error::Write { path: "-".into(), why: e.to_string() }),
    }
}

/// The audit date: as given, else today.
fn as_of(matches: &ArgMatches) -> Result<String, Error> {
    match matches.get_one::<String>("as-of") {
        Some(text) => text.parse::<jiff::civil::Date>().map(|d| d.to_string()).map_err(|_| Error::BadDate(text.clone())),
        None => Ok(jiff::Zoned::now().date().to_string()),
    }
}

/// Units of work for the hashes of one device.
fn hash_budget(matches: &ArgMatches) -> u64 {
    matches.get_one::<u64>("hash-budget").copied().unwrap_or(crate::analysis::HASH_BUDGET)
}

/// A key for fingerprints of secrets that lives as long as this run.
fn run_key() -> Result<std::sync::Arc<[u8; 32]>, Error> {
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).map_err(|e| Error::Random(e.to_string()))?;
    Ok(std::sync::Arc::new(key))
}

/// One file that is to be read, or standard input, and the input it makes; named otherwise where it stands for another.
fn one(path: &Path, name: Option<&Path>) -> Result<(Found, Input<'static>), Error> {
    let found = if path.as_os_str() == "-" { Found::Stdin } else { Found::File { path: path.to_path_buf(), named: true } };
    let name = name.unwrap_or(path).display().to_string();
    let bytes = discover::read(&found, run::LARGEST).map_err(|e| Error::Read { path: name.clone(), why: e.to_string() })?;
    Ok((found, Input { name, named: true, read: Box::new(move || Ok(bytes.clone())) }))
}

/// The configurations of sekisho that bear on files.
fn stated_for(matches: &ArgMatches, found: &[Found]) -> Result<std::collections::BTreeMap<std::path::PathBuf, Config>, Error> {
    check::configs(matches, found)
}

/// Columns of the terminal, 100 where there is none.
fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(w, _)| usize::from(w.0))
}

/// A dialect the user names, checked.
fn dialect(matches: &ArgMatches) -> Result<Option<String>, Error> {
    let names: Vec<&str> = crate::dialect::all().iter().map(|d| d.name()).collect();
    match matches.get_one::<String>("dialect") {
        None => Ok(None),
        Some(name) if names.contains(&name.as_str()) => Ok(Some(name.clone())),
        Some(name) => Err(Error::unknown("cli.error.unknown_dialect", name, &names)),
    }
}

/// Support dates and exploited vulnerabilities: the user's own from `--data`, else what comes with the program.
fn data(matches: &ArgMatches, lang: Lang) -> Result<Arc<Knowledge>, Error> {
    let Some(path) = matches.get_one::<std::path::PathBuf>("data") else { return Ok(Knowledge::builtin()) };
    let name = path.display().to_string();
    let bytes = discover::read(&Found::File { path: path.clone(), named: true }, LARGEST_DATA)
        .map_err(|e| Error::Read { path: name.clone(), why: e.to_string() })?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let data = Lifecycle::load(&text).map_err(|errors| Error::RuleFile(error::data_file(&name, &text, &errors, lang)))?;
    let known = Knowledge::new(Arc::new(data), &text);
    known.map(Arc::new).map_err(|errors| Error::RuleFile(error::questions(&name, &text, &errors, lang)))
}

/// The rules of a run: the built-in ones, then the user's own from `--rules`; a file of theirs with the id of a built-in one replaces it.
fn rules(matches: &ArgMatches, lang: Lang) -> Result<Vec<crate::rule::file::Rule>, Error> {
    use crate::rule::file::{Rule, Status};
    let mut rules: Vec<Rule> = crate::rule::builtin().iter().filter(|r| r.status == Status::Stable).cloned().collect();
    let paths: Vec<std::path::PathBuf> = matches.get_many("rules").into_iter().flatten().cloned().collect();
    let (found, unreachable) = discover::find(&paths);
    if let Some(u) = unreachable.first() {
        return Err(Error::Read { path: u.path.display().to_string(), why: u.error.to_string() });
    }
    for file in found {
        let Found::File { path, named } = &file else { continue };
        if !named && path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let bytes = discover::read(&file, 1 << 20).map_err(|e| Error::Read { path: path.display().to_string(), why: e.to_string() })?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match Rule::load(&text) {
            Ok(rule) => {
                rules.retain(|r| r.id != rule.id);
                rules.push(rule);
            }
            Err(errors) => return Err(Error::RuleFile(error::rule_file(&path.display().to_string(), &text, &errors, lang))),
        }
    }
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set in the process that is to fault.
    const FAULT: &str = "SEKISHO_TEST_FAULT";

    #[test]
    fn a_fault_shows_its_place_and_no_content() {
        if std::env::var_os(FAULT).is_some() {
            faults_show_no_content(Lang::En);
            let secret = format!("KANARI-{}", "é");
            let _ = std::panic::catch_unwind(|| panic!("at {secret}"));
            // The message of such a slice quotes the text.
            let _ = std::panic::catch_unwind(|| secret[..secret.len() - 1].len());
            return;
        }
        let this = std::env::current_exe().expect("the test program");
        let name = "cli::tests::a_fault_shows_its_place_and_no_content";
        let out = std::process::Command::new(this).args(["--exact", name, "--nocapture"]).env(FAULT, "1").output().expect("run");
        let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert!(said.contains("cli/mod.rs:"), "{said}");
        assert!(!said.contains("KANARI"), "{said}");
    }
}
