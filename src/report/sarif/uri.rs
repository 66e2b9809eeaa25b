//! Paths as URI references (RFC 3986), percent-encoded.
//!
//! Knows no file system: a path is text. Invariant: a relative path stays relative, and no path becomes a scheme.

use std::path::MAIN_SEPARATOR;

/// A path as the user gave it: relative ones stay so, absolute ones become `file:` URIs.
pub(super) fn of(path: &str) -> String {
    separated(path, MAIN_SEPARATOR)
}

/// The path of a member within its archive: rooted there (§3.24.9).
pub(super) fn of_member(path: &str) -> String {
    format!("/{}", encode(path.trim_start_matches('/')))
}

fn separated(path: &str, separator: char) -> String {
    let path = path.replace(separator, "/");
    let drive = separator == '\\' && path.as_bytes().get(1) == Some(&b':');
    if drive {
        // `C:/x`: the colon of a drive stays.
        let (drive, rest) = path.split_at(2);
        return format!("file:///{drive}{}", encode(rest));
    }
    if path.starts_with('/') {
        return format!("file://{}", encode(&path));
    }
    let mut relative = path.as_str();
    while let Some(rest) = relative.strip_prefix("./") {
        relative = rest.trim_start_matches('/');
    }
    encode(relative)
}

fn encode(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_stays_relative() {
        assert_eq!(separated("./a b/fw%1.conf", '/'), "a%20b/fw%251.conf");
        assert_eq!(separated(".//x", '/'), "x");
        assert_eq!(separated("\u{95A2}/fw.conf", '/'), "%E9%96%A2/fw.conf");
        assert_eq!(separated("mailto:x#y?z", '/'), "mailto%3Ax%23y%3Fz");
        assert_eq!(separated("../a\\b", '/'), "../a%5Cb");
        assert_eq!(separated("a\\b", '\\'), "a/b");
    }

    #[test]
    fn an_absolute_path_is_a_file_uri() {
        assert_eq!(separated("/etc/fw.conf", '/'), "file:///etc/fw.conf");
        assert_eq!(separated("C:\\fw 1.conf", '\\'), "file:///C:/fw%201.conf");
        assert_eq!(separated("\\\\server\\fw.conf", '\\'), "file:////server/fw.conf");
        assert_eq!(of_member("a/fw 1.conf"), "/a/fw%201.conf");
    }
}
