use super::*;
use crate::dialect::detect::Detector;
use crate::dialect::secret_spans;
use std::path::PathBuf;

fn exports() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut out = Vec::new();
    for folder in ["yamaha-rtx", "incidents"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("corpus") {
            let path = entry.expect("entry").path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let beside = name.ends_with(".expect") || name.ends_with(".toml");
            if beside || folder == "incidents" && !name.contains("yamaha") {
                continue;
            }
            let bytes = std::fs::read(&path).expect("file");
            let encoding = match name.as_str() {
                n if n.contains("sjis") => encoding_rs::SHIFT_JIS,
                n if n.contains("eucjp") => encoding_rs::EUC_JP,
                _ => encoding_rs::UTF_8,
            };
            let (text, _, bad) = encoding.decode(&bytes);
            assert!(!bad, "{name}");
            out.push((name, unwrap(&text)));
        }
    }
    out.sort();
    assert!(out.len() >= 14);
    out
}

/// Puts wrapped lines of a capture together, as the reading of files does.
fn unwrap(text: &str) -> String {
    let dialect = crate::dialect::list::yamaha_rtx::YamahaRtx;
    let mut out = String::new();
    let mut full = false;
    for line in text.lines() {
        if full && !dialect.starts_statement(line.trim_start()) {
            out.push(crate::source::SOFT_NEWLINE);
        } else if !out.is_empty() {
            out.push('\n');
        }
        full = (79..=80).contains(&line.chars().count());
        out.push_str(line);
    }
    out.push('\n');
    out
}

#[test]
fn every_export_is_recognised_understood_and_its_secrets_are_found() {
    let dialect = crate::dialect::list::yamaha_rtx::YamahaRtx;
    let grammar = Grammar::load(dialect.grammar_text()).expect("grammar");
    for (name, text) in exports() {
        let verdict = Detector::new(&[&grammar]).detect(FileId(0), &text, 0..text.len());
        assert!(verdict.winner().is_some(), "{name}: {:?}", verdict.scores);
        let tree = parse(&grammar, FileId(0), &text, 0..text.len());
        let hidden = secret_spans(&grammar, &tree);
        for (at, _) in text.match_indices("KANARI") {
            let inside = hidden.iter().any(|s| (s.start as usize) <= at && at < s.end as usize);
            assert!(inside, "{name}: a secret is not hidden: {:?}", text[..at].lines().last());
        }
        let d = device(&text);
        let left: Vec<&str> = d.coverage.unrecognised.iter().map(|u| u.span.slice(&text)).collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

#[test]
fn multibyte_text_with_backslash_bytes_costs_no_word() {
    let (_, text) = exports().into_iter().find(|(n, _)| n.contains("sjis")).expect("sjis");
    let d = device(&text);
    assert_eq!(interface(&d, "lan1").alias.as_deref(), Some("院内 表ソ能"));
    assert_eq!(interface(&d, "pp 1").alias.as_deref(), Some("能登クリニック 本院"));
    assert_eq!(d.identity.hostname.as_deref(), Some("能登表ソ"));
    assert_eq!(d.filters[0].rules.len(), 2);
}

#[test]
fn a_wrapped_capture_reads_like_the_file() {
    let (_, text) = exports().into_iter().find(|(n, _)| n.contains("capture")).expect("capture");
    let d = device(&text);
    assert_eq!(d.identity.model.as_deref(), Some("RTX1210"));
    let list = d.filters.iter().find(|f| f.name == "ip pp 1 secure filter in").expect("list");
    assert_eq!(list.rules.len(), 11);
    assert!(d.undefined.items.is_empty(), "{:?}", d.undefined.items);
    assert!(d.secrets.iter().all(|s| matches!(s.storage, crate::ir::account::Storage::Masked)));
    let kanri = d.login_policies.iter().find(|p| p.name == "kanri").expect("policy");
    assert_eq!(kanri.idle_s.get(), Some(&3600));
}

#[test]
fn any_bytes_lower_without_panic() {
    for (name, text) in exports() {
        // Every line cut short at each of its words, alone and as the end of a file.
        for cut in (0..text.len()).step_by(97).filter(|at| text.is_char_boundary(*at)) {
            let d = device(&text[..cut]);
            assert!(d.interfaces.len() < 1000, "{name}");
        }
    }
    device(
        "ip filter\nip lan2 secure filter in\npp select\ntunnel select 99999999999\nnat descriptor masquerade static 1 1\nuser attribute\nset x\nip policy filter set 1 [[[]]]]\nip policy filter set enable 1\nschedule at 1\npp bind tunnel1-tunnel4294967295\nip route default gateway\nipsec ike keepalive use 1\n",
    );
}

#[test]
fn every_code_has_its_sentence_in_both_languages() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let texts = std::fs::read_to_string(root.join("texts/codes/yamaha-rtx.toml")).expect("texts");
    let table: std::collections::BTreeMap<String, crate::dialect::grammar::Localized> = toml::from_str(&texts).expect("codes");
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(root.join("src/dialect/yamaha_rtx")).expect("folder") {
        let path = entry.expect("entry").path();
        let Ok(source) = std::fs::read_to_string(&path) else { continue };
        let literals = source.split('"').skip(1).step_by(2);
        seen.extend(literals.filter(|w| w.starts_with("sign.") || w.starts_with("keeper.")).map(str::to_owned));
        let inferred = source.split("Origin::inferred(\"").skip(1).filter_map(|rest| rest.split('"').next());
        seen.extend(inferred.map(|code| format!("infer.{code}")));
    }
    assert!(seen.len() > 20);
    for code in seen {
        let sentence = table.get(&code).unwrap_or_else(|| panic!("no sentence for {code}"));
        assert!(!sentence.ja.is_empty() && !sentence.en.is_empty());
    }
}
