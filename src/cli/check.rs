//! `sekisho check`: judges files and folders.

use super::error::Error;
use super::{as_of, data, dialect, hash_budget, print_bytes, rules, run_key};
use crate::analysis::Stated;
use crate::finding::{Lang, Report, Severity};
use crate::fleet::config::Config;
use crate::fleet::discover::{self, Found};
use crate::fleet::run::{self, Input, Options};
use crate::fleet::suppress;
use crate::report::{self, Form, TextStyle};
use crate::texts::texts;
use clap::ArgMatches;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Runs the command; gives the exit status.
pub fn run(matches: &ArgMatches, lang: Lang) -> Result<u8, Error> {
    let mut paths: Vec<PathBuf> = matches.get_many("paths").into_iter().flatten().cloned().collect();
    if paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    let form = matches.get_one::<String>("format").and_then(|f| Form::parse(f)).unwrap_or(Form::Text);
    let outputs = outputs(matches)?;
    let rules = rules(matches, lang)?;
    let only = only(matches, &rules)?;
    let (found, unreachable) = discover::find(&paths);
    if let Some(u) = unreachable.first() {
        return Err(Error::Read { path: u.path.display().to_string(), why: u.error.to_string() });
    }
    let configs = configs(matches, &found)?;
    let lang = chosen_lang(matches, &configs, lang);
    let fail_on = fail_on(matches, &configs)?;
    let known: Vec<&str> = crate::dialect::all().iter().map(|d| d.name()).collect();
    for file in configs.values().flat_map(|c| &c.file.files) {
        if let Some(name) = file.dialect.as_deref().filter(|n| !known.contains(n)) {
            return Err(Error::unknown("cli.error.unknown_dialect", name, &known));
        }
    }
    let config_of = |path: &str| config_of(&configs, path);
    let stated = stated(&configs);
    let inputs: Vec<Input<'_>> = found
        .iter()
        .filter(|f| match f {
            Found::File { path, .. } => {
                let name = path.display().to_string();
                !config_of(&name).is_some_and(|c| c.for_file(&name).any(|f| f.skip))
            }
            Found::Stdin => true,
        })
        .map(|f| {
            let (name, named) = match f {
                Found::File { path, named } => (shown(path), *named),
                Found::Stdin => ("-".to_owned(), true),
            };
            // Files are read twice, and standard input can be read once.
            let read: Box<dyn Fn() -> std::io::Result<Vec<u8>> + Send + Sync> = match f {
                Found::Stdin => {
                    let bytes = discover::read(f, run::LARGEST).map_err(|e| Error::Read { path: name.clone(), why: e.to_string() })?;
                    Box::new(move || Ok(bytes.clone()))
                }
                Found::File { .. } => Box::new(move || discover::read(f, run::LARGEST)),
            };
            Ok(Input { name, named, read })
        })
        .collect::<Result<_, Error>>()?;
    let text_output = form == Form::Text || outputs.iter().any(|(f, _)| *f == Form::Text);
    let options = Options {
        lang,
        as_of: as_of(matches)?,
        dialect: dialect(matches)?,
        rules: &rules,
        data: data(matches, lang)?,
        run_key: run_key()?,
        hash_budget: hash_budget(matches),
        excerpts: text_output,
        stated: &stated,
    };
    let mut report = run::check(&inputs, &options);
    run::only(&mut report, &only);
    let configs: Vec<Config> = configs.values().cloned().collect();
    suppress::apply(&mut report, &configs);
    old_data(&mut report);
    run::count(&mut report);
    for (form, path) in &outputs {
        let style = TextStyle { colour: false, ..style(matches) };
        std::fs::write(path, report::write(&report, *form, &style))
            .map_err(|e| Error::Write { path: path.display().to_string(), why: e.to_string() })?;
    }
    print_bytes(report::write(&report, form, &style(matches)).as_bytes())?;
    let status = status(&report, fail_on);
    // The process ends here: freeing what a report over thousands of files holds, piece by piece, would only cost time.
    std::mem::forget(report);
    Ok(status)
}

fn config_of<'c>(configs: &'c BTreeMap<PathBuf, Config>, path: &str) -> Option<&'c Config> {
    configs.iter().filter(|(root, _)| within(path, root)).max_by_key(|(root, _)| root.as_os_str().len()).map(|(_, c)| c)
}

/// What the configurations state about a file, and the dialect they name for it.
pub(super) fn stated(configs: &BTreeMap<PathBuf, Config>) -> impl Fn(&str) -> (Stated, Option<String>) + Sync {
    |path| match config_of(configs, path) {
        Some(config) => (config.stated(path), config.for_file(path).find_map(|f| f.dialect.clone())),
        None => (Stated::default(), None),
    }
}

/// A path as reports show it: without a leading `./`, with `/`.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    text.strip_prefix("./").map_or(text.clone(), str::to_owned)
}

fn within(path: &str, root: &Path) -> bool {
    std::path::absolute(path).is_ok_and(|p| p.starts_with(root))
}

/// The configurations that bear on the files: the one named, or the nearest of each file.
pub(super) fn configs(matches: &ArgMatches, found: &[Found]) -> Result<BTreeMap<PathBuf, Config>, Error> {
    let load = |path: &Path| {
        let text = std::fs::read_to_string(path).map_err(|e| Error::Read { path: path.display().to_string(), why: e.to_string() })?;
        Config::parse(path, &text).map_err(|e| Error::Config { place: format!("{}:{}", e.path.display(), e.line), why: e.message })
    };
    let mut configs = BTreeMap::new();
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        let mut config = load(path)?;
        // A configuration named on the command line speaks for every file.
        config.root = std::path::absolute(path).ok().and_then(|p| p.parent().map(Path::to_path_buf)).unwrap_or_default();
        configs.insert(PathBuf::from("/"), config);
        return Ok(configs);
    }
    let mut looked: std::collections::BTreeSet<PathBuf> = Default::default();
    for file in found {
        let folder = match file {
            Found::File { path, .. } => {
                path.parent().map(Path::to_path_buf).filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("."))
            }
            Found::Stdin => PathBuf::from("."),
        };
        if !looked.insert(folder.clone()) {
            continue;
        }
        if let Some(path) = discover::upward(&folder, "sekisho.toml") {
            let root = path.parent().map(Path::to_path_buf).unwrap_or_default();
            if let std::collections::btree_map::Entry::Vacant(entry) = configs.entry(root) {
                entry.insert(load(&path)?);
            }
        }
    }
    Ok(configs)
}

fn chosen_lang(matches: &ArgMatches, configs: &BTreeMap<PathBuf, Config>, lang: Lang) -> Lang {
    if matches.get_one::<String>("lang").is_some() {
        return lang;
    }
    match configs.values().find_map(|c| c.file.check.lang.as_deref()) {
        Some("ja") => Lang::Ja,
        Some("en") => Lang::En,
        _ => lang,
    }
}

/// Least severity that makes the exit status 1; `None`: none does.
fn fail_on(matches: &ArgMatches, configs: &BTreeMap<PathBuf, Config>) -> Result<Option<Severity>, Error> {
    let said = matches.get_one::<String>("fail-on").cloned().or_else(|| configs.values().find_map(|c| c.file.check.fail_on.clone()));
    match said.as_deref() {
        None => Ok(Some(Severity::Warning)),
        Some("never") => Ok(None),
        Some(word) => Severity::parse(word)
            .map(Some)
            .ok_or_else(|| Error::unknown("cli.error.unknown_severity", word, &["error", "warning", "note", "never"])),
    }
}

fn outputs(matches: &ArgMatches) -> Result<Vec<(Form, PathBuf)>, Error> {
    let given = matches.get_many::<String>("output").into_iter().flatten();
    given
        .map(|o| {
            let (form, path) = o.split_once('=').ok_or_else(|| Error::BadOutput(o.clone()))?;
            let form =
                Form::parse(form).ok_or_else(|| Error::unknown("cli.error.unknown_format", form, &["text", "json", "sarif", "github"]))?;
            Ok((form, PathBuf::from(path)))
        })
        .collect()
}

fn only(matches: &ArgMatches, rules: &[crate::rule::file::Rule]) -> Result<Vec<String>, Error> {
    let only: Vec<String> = matches.get_many::<String>("only").into_iter().flatten().cloned().collect();
    for name in &only {
        if !rules.iter().any(|r| r.id == *name || r.name == *name) {
            let valid: Vec<&str> = rules.iter().map(|r| r.id.as_str()).collect();
            return Err(Error::unknown("cli.error.unknown_rule", name, &valid));
        }
    }
    Ok(only)
}

fn style(matches: &ArgMatches) -> TextStyle {
    let terminal = std::io::stdout().is_terminal();
    let colour = match matches.get_one::<String>("color").map(String::as_str) {
        Some("always") => true,
        Some("never") => false,
        _ => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    let width = matches.get_one::<u16>("width").map(|w| usize::from(*w));
    let width = width.or_else(|| terminal_size::terminal_size().map(|(w, _)| usize::from(w.0))).unwrap_or(100);
    TextStyle { colour, width, ascii: matches.get_flag("ascii"), verbose: matches.get_flag("verbose"), quiet: matches.get_flag("quiet") }
}

/// Data older than 90 days on the audit date is said to be old.
fn old_data(report: &mut Report) {
    let days = |a: &str, b: &str| -> Option<i32> {
        let (a, b): (jiff::civil::Date, jiff::civil::Date) = (a.parse().ok()?, b.parse().ok()?);
        Some((b - a).get_days())
    };
    if days(&report.data_as_of, &report.as_of).is_some_and(|d| d > super::OLD) {
        report.notices.push(texts().fill(report.lang, "run.notice.old_data", &[&report.data_as_of]));
    }
}

fn status(report: &Report, fail_on: Option<Severity>) -> u8 {
    if report.files.iter().any(|f| f.encoding == run::INTERNAL) {
        return 70;
    }
    let findings = report.files.iter().flat_map(|f| &f.devices).flat_map(|d| &d.findings).filter(|f| f.suppressed.is_none());
    if fail_on.is_some_and(|least| findings.into_iter().any(|f| f.severity >= least)) {
        return 1;
    }
    if report.totals.unreadable > 0 || report.totals.devices == 0 {
        return 3;
    }
    0
}
