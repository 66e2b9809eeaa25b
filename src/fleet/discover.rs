//! Which files a run looks at: files as named, folders walked in the order of names, links not followed out of the tree.

use std::io::Read;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A file to judge, not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file on disk, and whether the user named it (a named file must be a configuration, a found one may be anything).
    File {
        /// Where it is.
        path: PathBuf,
        /// Whether the user named it.
        named: bool,
    },
    /// Standard input.
    Stdin,
}

/// A path that cannot be looked at.
#[derive(Debug)]
pub struct Unreachable {
    /// As the user gave it, or where the walk met it.
    pub path: PathBuf,
    /// What the system says.
    pub error: std::io::Error,
}

/// Folders that hold no configurations.
const SKIPPED: [&str; 4] = [".git", ".hg", ".svn", "node_modules"];

/// Files under the given paths, each once, in the order given and, within a folder, of names.
pub fn find(paths: &[PathBuf]) -> (Vec<Found>, Vec<Unreachable>) {
    let (mut found, mut unreachable) = (Vec::new(), Vec::new());
    for path in paths {
        if path.as_os_str() == "-" {
            found.push(Found::Stdin);
            continue;
        }
        match std::fs::metadata(path) {
            Ok(m) if m.is_dir() => walk(path, &mut found, &mut unreachable),
            Ok(_) => found.push(Found::File { path: path.clone(), named: true }),
            Err(error) => unreachable.push(Unreachable { path: path.clone(), error }),
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|f| match f {
        Found::File { path, .. } => seen.insert(path.clone()),
        Found::Stdin => true,
    });
    (found, unreachable)
}

fn walk(root: &Path, found: &mut Vec<Found>, unreachable: &mut Vec<Unreachable>) {
    let skipped = |name: &std::ffi::OsStr| SKIPPED.iter().any(|s| name == *s);
    let entries = WalkDir::new(root).follow_links(false).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|e| e.depth() == 0 || !(e.file_type().is_dir() && skipped(e.file_name()))) {
        match entry {
            Ok(e) if e.file_type().is_file() => found.push(Found::File { path: e.into_path(), named: false }),
            Ok(_) => {}
            Err(e) => {
                let path = e.path().unwrap_or(root).to_path_buf();
                unreachable.push(Unreachable { path, error: e.into() });
            }
        }
    }
}

/// Reads a file, at most `limit` bytes and one more, so that the caller sees that it is too large.
///
/// # Errors
/// Those of the file system.
pub fn read(found: &Found, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match found {
        Found::File { path, .. } => {
            let file = std::fs::File::open(path)?;
            let size = file.metadata().map(|m| m.len()).unwrap_or(0).min(limit);
            bytes.reserve_exact(size as usize + 1);
            file.take(limit + 1).read_to_end(&mut bytes)?;
        }
        Found::Stdin => {
            std::io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?;
        }
    }
    Ok(bytes)
}

/// The nearest file of a name in a folder or above it.
pub fn upward(from: &Path, name: &str) -> Option<PathBuf> {
    let absolute = std::path::absolute(from).ok()?;
    absolute.ancestors().map(|dir| dir.join(name)).find(|p| p.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_in_order_and_repositories_skipped() {
        let dir = tempfile::tempdir().expect("folder");
        for name in ["b.conf", "a.conf", "sub/c.conf", ".git/x.conf"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            std::fs::write(path, "x").expect("file");
        }
        let (found, unreachable) = find(&[dir.path().to_path_buf(), dir.path().join("a.conf"), dir.path().join("none")]);
        let names: Vec<String> = found
            .iter()
            .map(|f| match f {
                Found::File { path, .. } => path.strip_prefix(dir.path()).expect("below").display().to_string(),
                Found::Stdin => "-".into(),
            })
            .collect();
        assert_eq!(names, ["a.conf", "b.conf", "sub/c.conf"]);
        assert_eq!(unreachable.len(), 1);
    }
}
