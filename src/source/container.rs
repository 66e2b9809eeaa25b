//! Containers: gzip, zip, tar and base64 shells, opened in memory into the files they hold.
//!
//! Not an unpacker: nothing is written anywhere, and a path inside an archive is a name to show, never a path to open.
//! Invariants: work and memory are bounded by [`Limits`] whatever the bytes claim; a member that is damaged, encrypted
//! or over a limit is reported and not passed on in part, for half an export judged as a whole would pass on what it
//! lacks; everything else is passed on.

use std::fmt;
use std::io::{Cursor, Read};

use flate2::bufread::GzDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::decode::decode_name;
use super::shell::{Shell, open_shell};

/// Below this many bytes of content the ratio says nothing: a short file of repeated lines packs very well.
const RATIO_FREE: u64 = 1 << 20;

/// What opening a container may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes all members together may have after decompression.
    pub total: u64,
    /// Bytes one member may have after decompression.
    pub member: u64,
    /// How many times larger than its packed form a member may be (beyond the first MiB).
    pub ratio: u64,
    /// How many entries are looked at.
    pub members: usize,
    /// How many containers may stand in one another; a tar inside a gzip counts as one.
    pub depth: u32,
}

impl Limits {
    /// The limits of the command line: 256 MiB in all, 128 MiB a member, 200:1, 10 000 entries, depth 3.
    pub const STANDARD: Limits = Limits { total: 256 << 20, member: 128 << 20, ratio: 200, members: 10_000, depth: 3 };
}

/// One file out of a container, or a plain file as it was.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// The name to show: `archive.zip!/path/in/archive`, or the file's own name where nothing but a shell was around it.
    pub name: String,
    /// The bytes.
    pub content: Vec<u8>,
}

impl fmt::Debug for Member {
    /// Shows no content: a configuration is full of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("bytes", &self.content.len()).finish()
    }
}

/// Why something in a container is not passed on. The words for it are in the user interface's table, under [`key`](Self::key).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerError {
    /// A member, or all members together, over the size limit.
    TooLarge,
    /// Larger than its packed form allows: the mark of a decompression bomb.
    Ratio,
    /// More entries than the limit; the rest was not looked at.
    TooManyMembers,
    /// Containers in containers beyond the limit.
    Depth,
    /// Cut off, or checksums that do not match, or two entries of one name.
    Damaged,
    /// A zip entry with a password, or an encrypted backup in a text armour.
    Encrypted,
    /// A compression method that is not read here.
    Unsupported,
}

impl ContainerError {
    /// The stable key of the situation.
    pub fn key(self) -> &'static str {
        match self {
            ContainerError::TooLarge => "container.too-large",
            ContainerError::Ratio => "container.ratio",
            ContainerError::TooManyMembers => "container.too-many-members",
            ContainerError::Depth => "container.depth",
            ContainerError::Damaged => "container.damaged",
            ContainerError::Encrypted => "container.encrypted",
            ContainerError::Unsupported => "container.unsupported",
        }
    }
}

/// Something that could not be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerProblem {
    /// The member or container concerned, named as members are.
    pub name: String,
    /// Why.
    pub error: ContainerError,
}

/// What came out, in the order of the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The files.
    pub members: Vec<Member>,
    /// What is missing among them.
    pub problems: Vec<ContainerProblem>,
}

/// Opens a file. A plain file is its own only member, its bytes not copied.
pub fn open(name: &str, bytes: Vec<u8>, limits: &Limits) -> Opened {
    let mut opening = Opening { limits, spent: 0, entries: 0, opened: Opened::default() };
    opening.expand(name.to_owned(), bytes, 0);
    opening.opened
}

struct Opening<'a> {
    limits: &'a Limits,
    /// Bytes decompressed so far, kept or not.
    spent: u64,
    entries: usize,
    opened: Opened,
}

impl Opening<'_> {
    fn problem(&mut self, name: &str, error: ContainerError) {
        self.opened.problems.push(ContainerProblem { name: name.to_owned(), error });
    }

    /// Recursion is bounded by `limits.depth`.
    fn expand(&mut self, name: String, bytes: Vec<u8>, depth: u32) {
        let Some(kind) = Kind::of(&bytes) else {
            if depth > 0 && bytes.len() as u64 > self.limits.member {
                return self.problem(&name, ContainerError::TooLarge);
            }
            return self.opened.members.push(Member { name, content: bytes });
        };
        if depth >= self.limits.depth {
            return self.problem(&name, ContainerError::Depth);
        }
        match kind {
            Kind::Gzip => match self.gunzip(&bytes) {
                Ok(content) if is_tar(&content) => self.tar(&name, &content, depth + 1),
                Ok(content) => self.expand(name, content, depth + 1),
                Err(error) => self.problem(&name, error),
            },
            Kind::Tar => self.tar(&name, &bytes, depth + 1),
            Kind::Zip => self.zip(name, bytes, depth + 1),
            Kind::Shell(Shell::Content(content)) => self.expand(name, content, depth + 1),
            Kind::Shell(Shell::Encrypted) => self.problem(&name, ContainerError::Encrypted),
        }
    }

    /// All gzip members of the stream; bytes behind them that are none (padding) are left alone, as gzip does.
    fn gunzip(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ContainerError> {
        let mut content = Vec::new();
        let mut rest = bytes;
        loop {
            self.count_entry()?;
            let mut decoder = GzDecoder::new(rest);
            self.read(&mut decoder, bytes.len() as u64, self.limits.total, &mut content)?;
            rest = decoder.into_inner();
            if !rest.starts_with(GZIP) {
                return Ok(content);
            }
        }
    }

    fn tar(&mut self, name: &str, bytes: &[u8], depth: u32) {
        let mut archive = tar::Archive::new(bytes);
        let Ok(entries) = archive.entries() else {
            return self.problem(name, ContainerError::Damaged);
        };
        for entry in entries {
            let Ok(mut entry) = entry else {
                return self.problem(name, ContainerError::Damaged);
            };
            if let Err(error) = self.count_entry() {
                return self.problem(name, error);
            }
            let kind = entry.header().entry_type();
            if !(kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()) {
                continue;
            }
            let inner = join(name, &entry.path_bytes());
            if inner.ends_with('/') {
                continue;
            }
            let size = entry.size();
            if kind.is_gnu_sparse() {
                self.problem(&inner, ContainerError::Unsupported);
            } else if size > self.limits.member {
                self.problem(&inner, ContainerError::TooLarge);
            } else {
                let mut content = Vec::new();
                match entry.read_to_end(&mut content) {
                    Ok(read) if read as u64 == size => self.expand(inner, content, depth),
                    _ => self.problem(&inner, ContainerError::Damaged),
                }
            }
        }
    }

    fn zip(&mut self, name: String, bytes: Vec<u8>, depth: u32) {
        let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes.as_slice())) else {
            return self.problem(&name, ContainerError::Damaged);
        };
        // Office documents are zip files too; their parts are no files of anybody's.
        if archive.file_names_raw().any(|inner| inner == b"[Content_Types].xml" || inner == b"mimetype") {
            return self.opened.members.push(Member { name, content: bytes });
        }
        if archive.has_duplicate_names() {
            self.problem(&name, ContainerError::Damaged);
        }
        let mut kept = 0u64;
        for index in 0..archive.len() {
            if let Err(error) = self.count_entry() {
                return self.problem(&name, error);
            }
            let (inner, packed) = match archive.by_index_data(index) {
                Ok(entry) if entry.is_dir() || entry.is_symlink() => continue,
                Ok(entry) => {
                    let inner = join(&name, entry.name_raw());
                    let readable = matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated);
                    if entry.encrypted() {
                        self.problem(&inner, ContainerError::Encrypted);
                        continue;
                    } else if !readable {
                        self.problem(&inner, ContainerError::Unsupported);
                        continue;
                    }
                    (inner, entry.compressed_size())
                }
                Err(_) => return self.problem(&name, ContainerError::Damaged),
            };
            let mut content = Vec::new();
            let read = match archive.by_index(index) {
                Ok(mut entry) => self.read(&mut entry, packed, self.limits.member, &mut content),
                Err(_) => Err(ContainerError::Damaged),
            };
            if self.spent > self.limits.total {
                return self.problem(&name, ContainerError::TooLarge);
            }
            // Entries may overlap in the archive, so that each alone keeps the ratio.
            kept += if read.is_ok() { content.len() as u64 } else { 0 };
            if kept > RATIO_FREE && kept / self.limits.ratio.max(1) > bytes.len() as u64 {
                return self.problem(&name, ContainerError::Ratio);
            }
            match read {
                Ok(()) => self.expand(inner, content, depth),
                Err(error) => self.problem(&inner, error),
            }
        }
    }

    fn count_entry(&mut self) -> Result<(), ContainerError> {
        self.entries += 1;
        if self.entries > self.limits.members { Err(ContainerError::TooManyMembers) } else { Ok(()) }
    }

    /// Reads to the end, appending, unless a limit is met. `packed` is the size of the compressed form.
    fn read(&mut self, reader: &mut impl Read, packed: u64, most: u64, content: &mut Vec<u8>) -> Result<(), ContainerError> {
        let mut buffer = [0; 16 << 10];
        loop {
            let count = reader.read(&mut buffer).map_err(|_| ContainerError::Damaged)?;
            if count == 0 {
                return Ok(());
            }
            content.extend_from_slice(buffer.get(..count).unwrap_or_default());
            self.spent += count as u64;
            let size = content.len() as u64;
            if size > most || self.spent > self.limits.total {
                return Err(ContainerError::TooLarge);
            }
            if size > RATIO_FREE && size / self.limits.ratio.max(1) > packed {
                return Err(ContainerError::Ratio);
            }
        }
    }
}

const GZIP: &[u8] = b"\x1F\x8B\x08";

enum Kind {
    Gzip,
    Tar,
    Zip,
    /// Base64 text.
    Shell(Shell),
}

impl Kind {
    fn of(bytes: &[u8]) -> Option<Kind> {
        if bytes.starts_with(GZIP) {
            Some(Kind::Gzip)
        } else if is_zip(bytes) {
            Some(Kind::Zip)
        } else if is_tar(bytes) {
            Some(Kind::Tar)
        } else {
            open_shell(bytes).map(Kind::Shell)
        }
    }
}

/// Whether the bytes are one of the binary containers.
pub(super) fn is_container(bytes: &[u8]) -> bool {
    bytes.starts_with(GZIP) || is_zip(bytes) || is_tar(bytes)
}

fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// A tar header has a checksum; nothing else starts with 512 bytes that keep it.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..512) else { return false };
    let (Some(field), Some(&first)) = (header.get(148..156), header.first()) else { return false };
    let digits = std::str::from_utf8(field).unwrap_or("").trim_matches(|c: char| c == '\0' || c == ' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    let own: u32 = field.iter().map(|&byte| u32::from(byte)).sum();
    first != 0 && u32::from_str_radix(digits, 8) == Ok(sum - own + 8 * 32)
}

fn join(outer: &str, inner: &[u8]) -> String {
    let mut inner = inner;
    while let Some(rest) = inner.strip_prefix(b"./").or(inner.strip_prefix(b"/")) {
        inner = rest;
    }
    format!("{outer}!/{}", decode_name(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;
    use zip::write::{SimpleFileOptions, ZipWriter};

    const CONFIG: &[u8] = b"interface wan1\n description a\n";
    const SMALL: Limits = Limits { total: 4 << 20, member: 2 << 20, ratio: 200, members: 50, depth: 3 };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn zip_with(files: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        zip_with(files, SimpleFileOptions::default())
    }

    fn base64(bytes: &[u8]) -> String {
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    /// Names with content lengths, then problems.
    fn check(name: &str, bytes: Vec<u8>, members: &[(&str, &[u8])], problems: &[(&str, ContainerError)]) {
        let opened = open(name, bytes, &SMALL);
        let got: Vec<_> = opened.members.iter().map(|member| (member.name.as_str(), member.content.as_slice())).collect();
        assert_eq!(got, members);
        let got: Vec<_> = opened.problems.iter().map(|problem| (problem.name.as_str(), problem.error)).collect();
        assert_eq!(got, problems);
    }

    #[test]
    fn a_plain_file_is_its_own_member_and_not_copied() {
        let bytes = CONFIG.to_vec();
        let place = bytes.as_ptr();
        let opened = open("a.conf", bytes, &Limits::STANDARD);
        assert_eq!(opened.members[0].content.as_ptr(), place);
        assert_eq!(opened.members[0].name, "a.conf");
    }

    #[test]
    fn a_gzip_shell_keeps_the_name() {
        check("juniper.conf.gz", gzip(CONFIG), &[("juniper.conf.gz", CONFIG)], &[]);
        let two = [gzip(CONFIG), gzip(b"end\n"), vec![0; 40]].concat();
        check("a.gz", two, &[("a.gz", &[CONFIG, b"end\n"].concat())], &[]);
    }

    #[test]
    fn archives_name_their_members() {
        let files: &[(&str, &[u8])] = &[("./etc/config/network", CONFIG), ("/etc/passwd", b"root\n"), ("dir/", b"")];
        let named: &[(&str, &[u8])] = &[("b.tgz!/etc/config/network", CONFIG), ("b.tgz!/etc/passwd", b"root\n")];
        check("b.tgz", tar(files), named, &[]);
        check("b.tgz", gzip(&tar(files)), named, &[]);
        check("a.zip", zip(&[("x/y.conf", CONFIG), ("z", b"end\n")]), &[("a.zip!/x/y.conf", CONFIG), ("a.zip!/z", b"end\n")], &[]);
    }

    #[test]
    fn a_path_that_climbs_is_only_a_name() {
        let files: &[(&str, &[u8])] = &[("../../etc/cron.d/x", CONFIG)];
        check("a.tar", tar(files), &[("a.tar!/../../etc/cron.d/x", CONFIG)], &[]);
        check("a.zip", zip(files), &[("a.zip!/../../etc/cron.d/x", CONFIG)], &[]);
    }

    #[test]
    fn containers_nest_up_to_the_limit() {
        let inner = gzip(&tar(&[("r.conf", CONFIG)]));
        let middle = zip(&[("site.tgz", &inner)]);
        check("a.zip", zip(&[("m.zip", &middle)]), &[("a.zip!/m.zip!/site.tgz!/r.conf", CONFIG)], &[]);
        let outer = zip(&[("o.zip", &zip(&[("m.zip", &middle)]))]);
        check("a.zip", outer, &[], &[("a.zip!/o.zip!/m.zip!/site.tgz", ContainerError::Depth)]);
    }

    #[test]
    fn a_gzip_bomb_is_stopped() {
        let bomb = gzip(&vec![0; 8 << 20]);
        check("a.gz", bomb.clone(), &[], &[("a.gz", ContainerError::Ratio)]);
        let limits = Limits { ratio: 100_000, ..SMALL };
        assert_eq!(open("a.gz", bomb, &limits).problems[0].error, ContainerError::TooLarge);
    }

    #[test]
    fn a_zip_bomb_is_stopped_and_its_neighbours_are_read() {
        let zeros = vec![b'a'; 1 << 22];
        let bomb = zip(&[("bomb", &zeros[..]), ("r.conf", CONFIG)]);
        check("a.zip", bomb, &[("a.zip!/r.conf", CONFIG)], &[("a.zip!/bomb", ContainerError::Ratio)]);
        // Many members, each under the ratio's free size: the archive as a whole is not.
        let files: Vec<(String, Vec<u8>)> = (0..40).map(|n| (format!("f{n}"), vec![b'a'; 1_000_000])).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
        let opened = open("a.zip", zip(&files), &SMALL);
        assert!(opened.members.len() <= 4);
        assert_eq!(opened.problems.len(), 1);
    }

    #[test]
    fn a_tar_bomb_in_gzip_is_stopped() {
        let file = vec![0; 1 << 20];
        let files: Vec<(&str, &[u8])> = ["a", "b", "c", "d", "e", "f"].map(|name| (name, &file[..])).to_vec();
        check("a.tgz", gzip(&tar(&files)), &[], &[("a.tgz", ContainerError::Ratio)]);
        let names: Vec<String> = (0..60).map(|n| n.to_string()).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), CONFIG)).collect();
        let opened = open("a.tar", tar(&files), &SMALL);
        assert_eq!(opened.members.len(), 50);
        assert_eq!(opened.problems[0].error, ContainerError::TooManyMembers);
    }

    #[test]
    fn a_member_over_the_limit_is_named() {
        let noise: Vec<u8> = (0..3u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        check("a.tar", tar(&[("big", &noise), ("r", CONFIG)]), &[("a.tar!/r", CONFIG)], &[("a.tar!/big", ContainerError::TooLarge)]);
        check("a.zip", zip(&[("big", &noise), ("r", CONFIG)]), &[("a.zip!/r", CONFIG)], &[("a.zip!/big", ContainerError::TooLarge)]);
    }

    #[test]
    fn what_is_cut_off_is_damaged() {
        let text: Vec<u8> = (0..5000u32).flat_map(|n| format!("set {}\n", n * n).into_bytes()).collect();
        let mut bytes = gzip(&text);
        bytes.truncate(bytes.len() / 2);
        check("a.gz", bytes, &[], &[("a.gz", ContainerError::Damaged)]);
        let mut bytes = tar(&[("ok", CONFIG), ("cut", &text)]);
        bytes.truncate(3000);
        check("a.tar", bytes, &[("a.tar!/ok", CONFIG)], &[("a.tar!/cut", ContainerError::Damaged), ("a.tar", ContainerError::Damaged)]);
        let mut bytes = zip(&[("cut", &text)]);
        bytes.truncate(bytes.len() / 2);
        check("a.zip", bytes, &[], &[("a.zip", ContainerError::Damaged)]);
        let mut bytes = zip_with(&[("bad", CONFIG)], SimpleFileOptions::default().compression_method(CompressionMethod::Stored));
        let place = memchr::memmem::find(&bytes, b"wan1").unwrap();
        bytes[place] = b'l';
        check("a.zip", bytes, &[], &[("a.zip!/bad", ContainerError::Damaged)]);
    }

    #[test]
    fn an_encrypted_zip_entry_is_named() {
        let mut bytes = zip(&[("secret.conf", CONFIG)]);
        bytes[6] |= 1;
        let central = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
        bytes[central + 8] |= 1;
        check("a.zip", bytes, &[], &[("a.zip!/secret.conf", ContainerError::Encrypted)]);
    }

    #[test]
    fn an_office_document_is_not_an_archive() {
        let bytes = zip(&[("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")]);
        check("list.xlsx", bytes.clone(), &[("list.xlsx", &bytes)], &[]);
    }

    #[test]
    fn a_base64_shell_is_taken_off() {
        let text = b"buildNum=6.5.4&shortProdName=TZ%20300&firewallName=clinic&sslvpn_enable=1&x=1&y=2".as_slice();
        check("s.exp", format!("{}&&\r\n", base64(text)).into_bytes(), &[("s.exp", text)], &[]);
        let wrapped: Vec<String> = base64(text).as_bytes().chunks(16).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
        check("s.exp", wrapped.join("\r\n").into_bytes(), &[("s.exp", text)], &[]);
        let armoured = format!("-----BEGIN BACKUP-----\nVersion: 1\n\n{}\n-----END BACKUP-----\n", base64(&gzip(text)));
        check("s.txt", armoured.into_bytes(), &[("s.txt", text)], &[]);
    }

    #[test]
    fn keys_certificates_and_words_are_no_shells() {
        let random: Vec<u8> = (0..200u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        let readable = "a readable line that is quite long enough to be taken for a text file\n";
        for plain in [
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(readable.as_bytes())),
            format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", base64(readable.as_bytes())),
            base64(&random),
            base64(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(&random)).as_bytes()),
            "exit\n".repeat(40),
            "enable\nconfigure\nterminal\n".repeat(10),
            "interface wan\n".repeat(20),
            base64(b"short text"),
        ] {
            check("k", plain.clone().into_bytes(), &[("k", plain.as_bytes())], &[]);
        }
    }

    #[test]
    fn an_encrypted_backup_in_a_shell_is_named() {
        let salted = [b"Salted__".as_slice(), &[0x9D; 80]].concat();
        let file = format!(
            "---- BEGIN config.xml ----\nVersion: X 1\nCipher: AES-256-CBC\nHash: SHA512\n\n{}\n---- END config.xml ----\n",
            base64(&salted)
        );
        check("c.xml", file.into_bytes(), &[], &[("c.xml", ContainerError::Encrypted)]);
        check("c.txt", base64(&salted).into_bytes(), &[], &[("c.txt", ContainerError::Encrypted)]);
    }

    #[test]
    fn debug_shows_no_content() {
        let opened = open("a", b"password hunter2".to_vec(), &SMALL);
        assert!(!format!("{opened:?}").contains("104, 117") && !format!("{opened:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn damaged_containers_never_hurt(which in 0usize..5, place in 0usize..2000, byte in any::<u8>(), cut in 0usize..2000) {
            let inner = gzip(&tar(&[("a/b", CONFIG), ("c", b"x")]));
            let mut bytes = match which {
                0 => inner,
                1 => tar(&[("a", &inner), ("b", CONFIG)]),
                2 => zip(&[("a", &inner), ("b", CONFIG)]),
                3 => base64(&inner).into_bytes(),
                _ => zip_with(&[("a", CONFIG)], SimpleFileOptions::default().compression_method(CompressionMethod::Stored)),
            };
            let length = bytes.len();
            bytes[place % length] = byte;
            bytes.truncate(length - (cut % length) * usize::from(cut % 3 == 0));
            let opened = open("x", bytes, &SMALL);
            let size: usize = opened.members.iter().map(|member| member.content.len()).sum();
            prop_assert!(size as u64 <= SMALL.total);
        }

        #[test]
        fn any_bytes_open(bytes in prop::collection::vec(any::<u8>(), 0..1500), head in 0usize..4) {
            let head: &[u8] = [b"".as_slice(), GZIP, b"PK\x03\x04", b"-----BEGIN X-----\n"][head];
            open("x", [head, &bytes].concat(), &SMALL);
        }
    }
}
