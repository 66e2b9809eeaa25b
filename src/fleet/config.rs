//! `sekisho.toml`: what a repository or a site says about its files. Found upward from the file that is judged.

use crate::analysis::Stated;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The file as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Settings of `check`.
    #[serde(default)]
    pub check: CheckTable,
    /// What a person states about the site.
    #[serde(default)]
    pub site: SiteTable,
    /// Files that need a word about them.
    #[serde(default, rename = "file")]
    pub files: Vec<FileTable>,
    /// Tunnels the facility needs to be always on.
    #[serde(default, rename = "tunnel")]
    pub tunnels: Vec<TunnelTable>,
    /// Accepted findings.
    #[serde(default, rename = "suppress")]
    pub suppress: Vec<Spanned<SuppressTable>>,
}

/// `[check]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckTable {
    /// `ja` or `en`.
    pub lang: Option<String>,
    /// Least severity that makes the exit status 1.
    pub fail_on: Option<String>,
}

/// `[site]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteTable {
    /// Names a password must not hold: facility, representative, town.
    #[serde(default)]
    pub names: Vec<String>,
    /// Words that mark a vendor's account.
    #[serde(default)]
    pub vendors: Vec<String>,
}

/// `[[file]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    /// Path below the folder of `sekisho.toml`; `*` stands for any part of one name, `**` for any folders.
    pub path: String,
    /// The dialect, where detection should not decide.
    pub dialect: Option<String>,
    /// Interfaces that face a network the facility does not run.
    #[serde(default)]
    pub untrusted: Vec<String>,
    /// Interfaces that face the facility's own networks.
    #[serde(default)]
    pub trusted: Vec<String>,
    /// Hardware model, where the export does not tell it.
    pub model: Option<String>,
    /// Version of the software, where the export does not tell it.
    pub os_version: Option<String>,
    /// Do not look at these files.
    #[serde(default)]
    pub skip: bool,
}

/// `[[tunnel]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TunnelTable {
    /// Name of the tunnel as its export writes it.
    pub name: String,
    /// Why it must be always on.
    pub reason: String,
    /// Who approved it.
    pub who: String,
    /// When, as `YYYY-MM-DD`.
    pub date: String,
}

/// `[[suppress]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuppressTable {
    /// Id or name of the rule.
    pub rule: String,
    /// Path below the folder of `sekisho.toml`, as in `[[file]]`; absent: every file.
    pub path: Option<String>,
    /// Name of the device; absent: every device.
    pub device: Option<String>,
    /// Subject of the finding as the reports print it; absent: every subject.
    pub subject: Option<String>,
    /// Why the risk is accepted.
    pub reason: String,
    /// Who accepted it.
    pub who: String,
    /// Last day on which it holds, as `YYYY-MM-DD`.
    pub until: String,
}

/// A configuration and where it stands.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The folder of the file; paths in it are below.
    pub root: PathBuf,
    /// Path of the file, if there is one.
    pub path: Option<PathBuf>,
    /// Its content.
    pub file: ConfigFile,
    lines: Vec<usize>,
}

/// A `sekisho.toml` that cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    /// Path of the file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, in the words of the TOML reader.
    pub message: String,
}

impl Config {
    /// Reads the text of a `sekisho.toml`.
    ///
    /// # Errors
    /// When it is not TOML of this form, or a date is none.
    pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let lines: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let line = |at: usize| lines.partition_point(|start| *start <= at);
        let error = |at: usize, message: String| ConfigError { path: path.to_path_buf(), line: line(at), message };
        let file: ConfigFile = toml::from_str(text).map_err(|e| error(e.span().map_or(0, |s| s.start), e.message().to_owned()))?;
        for entry in &file.suppress {
            if entry.as_ref().until.parse::<jiff::civil::Date>().is_err() {
                return Err(error(entry.span().start, format!("until = {:?}: YYYY-MM-DD", entry.as_ref().until)));
            }
        }
        Ok(Config { root: path.parent().map(Path::to_path_buf).unwrap_or_default(), path: Some(path.to_path_buf()), file, lines })
    }

    /// Line of a byte offset in the file.
    pub fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// A path relative to the folder of the configuration, with `/` between its parts.
    fn relative(&self, path: &str) -> String {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
        let relative = absolute.strip_prefix(&self.root).map(Path::to_path_buf).unwrap_or(absolute);
        relative.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
    }

    /// Whether a path is meant by a pattern of this configuration.
    pub fn covers(&self, pattern: &str, path: &str) -> bool {
        glob(pattern, &self.relative(path))
    }

    /// What is said about a file.
    pub fn for_file(&self, path: &str) -> impl Iterator<Item = &FileTable> {
        self.file.files.iter().filter(move |f| self.covers(&f.path, path))
    }

    /// What a person states that bears on a file.
    pub fn stated(&self, path: &str) -> Stated {
        let tunnels: BTreeMap<String, String> =
            (self.file.tunnels.iter()).map(|t| (t.name.clone(), format!("{} ({}, {})", t.reason, t.who, t.date))).collect();
        Stated {
            untrusted: self.for_file(path).flat_map(|f| f.untrusted.iter().cloned()).collect(),
            trusted: self.for_file(path).flat_map(|f| f.trusted.iter().cloned()).collect(),
            model: self.for_file(path).find_map(|f| f.model.clone()),
            os_version: self.for_file(path).find_map(|f| f.os_version.clone()),
            names: self.file.site.names.clone(),
            vendors: self.file.site.vendors.clone(),
            accepted_tunnels: tunnels,
        }
    }
}

/// Whether a path fits a pattern: `*` is any part of one name, `**` any number of folders.
pub fn glob(pattern: &str, path: &str) -> bool {
    fn parts(pattern: &[&str], path: &[&str]) -> bool {
        match pattern.split_first() {
            None => path.is_empty(),
            Some((&"**", rest)) => (0..=path.len()).any(|skip| parts(rest, &path[skip..])),
            Some((first, rest)) => path.split_first().is_some_and(|(name, more)| name_fits(first, name) && parts(rest, more)),
        }
    }
    fn name_fits(pattern: &str, name: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == name,
            Some((head, tail)) => name
                .strip_prefix(head)
                .is_some_and(|rest| (0..=rest.len()).filter(|n| rest.is_char_boundary(*n)).any(|n| name_fits(tail, &rest[n..]))),
        }
    }
    parts(&pattern.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names_and_folders() {
        assert!(glob("configs/*.conf", "configs/a.conf"));
        assert!(!glob("configs/*.conf", "configs/sub/a.conf"));
        assert!(glob("**/*.conf", "configs/sub/a.conf"));
        assert!(glob("a*b*c", "axxbyyc"));
        assert!(!glob("a.conf", "b.conf"));
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = Config::parse(Path::new("sekisho.toml"), "[check]\nlang = \"ja\"\nfial_on = 1\n").expect_err("unknown key");
        assert_eq!(error.line, 3);
        let text = "[[suppress]]\nrule = \"EXP001\"\nreason = \"r\"\nwho = \"w\"\nuntil = \"soon\"\n";
        assert!(Config::parse(Path::new("sekisho.toml"), text).is_err());
    }
}
