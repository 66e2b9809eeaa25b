//! The head of an export: which product, release and model it is of, and which part of the box it holds.
//!
//! What is not in the head is not guessed: `opmode` is ignored (real exports contradict it), and `user=` names whoever made the
//! export, which need not be an administrator of the box.

use crate::dialect::Input;
use crate::ir::device::{Precision, Version};
use crate::source::Span;

/// What the head of an export says.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    /// The `#config-version` line; `None`: the text has no head, so it is a fragment.
    pub span: Option<Span>,
    /// Release.
    pub version: Option<Version>,
    /// Model as the vendor names it.
    pub model: Option<String>,
    /// Whether virtual domains are switched on.
    pub virtual_domains: bool,
    /// The virtual domain, when the export holds only one of several.
    pub only: Option<(String, Span)>,
    /// Whether secrets were replaced when the export was made.
    pub masked: bool,
}

/// How far from the beginning the head is looked for: collectors put a page of status lines before it.
const HEAD: usize = 64 * 1024;

/// Reads the head.
pub(super) fn read(input: &Input<'_>) -> Header {
    let text = input.tree.text();
    let file = input.tree.file();
    let mut header = Header::default();
    let mut build = None;
    let mut at = input.range.start;
    for line in text.get(input.range.clone()).unwrap_or("").split_inclusive('\n') {
        let start = at;
        at += line.len();
        if start - input.range.start > HEAD {
            break;
        }
        let line = line.trim_end().trim_start_matches(['\u{feff}', ' ', '\t']);
        let Some(comment) = line.strip_prefix('#') else {
            if header.span.is_some() && line.starts_with("config ") {
                break;
            }
            continue;
        };
        let span = Span::of(file, text, line);
        let comment = comment.trim_start();
        if let Some(value) = comment.strip_prefix("config-version=") {
            header.span = Some(span);
            config_version(value.trim(), span, &mut header);
        } else if let Some(value) = comment.strip_prefix("buildno=") {
            build = value.trim().parse::<u32>().ok();
        } else if let Some(value) = comment.strip_prefix("global_vdom=0") {
            let name = value.strip_prefix(":vd_name=").unwrap_or("").split(['/', ':']).next().unwrap_or("");
            header.only = Some((name.to_owned(), span));
        } else if comment.trim_end() == "password_mask=1" {
            header.masked = true;
        } else if let Some(value) = comment.strip_prefix("Version: Forti") {
            preamble(value, span, &mut header);
        }
    }
    // Old releases print the train alone; the build tells releases of a train apart for a person who looks it up.
    if let (Some(version), Some(build)) = (&mut header.version, build)
        && version.precision == Precision::Train
    {
        version.text = format!("{} build {build}", version.text);
    }
    header
}

/// `FGT60F-7.4.4-FW-build2573-240101:opmode=0:vdom=0:user=admin`, or `FortiGate-VM64 v6.2.3,build1066,191218 (GA):opmode=...`.
fn config_version(value: &str, span: Span, header: &mut Header) {
    let mut parts = value.split(':');
    let product = parts.next().unwrap_or("");
    header.virtual_domains = parts.any(|p| p == "vdom=1");
    if let Some((model, rest)) = product.split_once(" v") {
        header.version = version(rest.split([',', ' ']).next().unwrap_or(""), span);
        header.model.get_or_insert_with(|| marketing_name(model));
        return;
    }
    let mut fields = product.split('-');
    let model = fields.next().unwrap_or("");
    header.version = fields.next().and_then(|v| version(v, span));
    if !model.is_empty() {
        header.model.get_or_insert_with(|| model_of_code(model));
    }
}

/// `Gate-91G v7.4.7,build2731,250120 (GA.M)`: a collector's status line; it names the model in full.
fn preamble(value: &str, span: Span, header: &mut Header) {
    if let Some((model, rest)) = value.split_once(" v") {
        header.model = Some(marketing_name(&format!("Forti{model}")));
        if header.version.is_none() {
            header.version = version(rest.split(',').next().unwrap_or(""), span);
        }
    }
}

fn version(text: &str, span: Span) -> Option<Version> {
    let parts: Vec<u32> = text.split('.').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    // Before 5.6 the head prints the train in two digits: `5.02` is 5.2, not 5.0.2.
    let (precision, text) = match parts.as_slice() {
        [] => return None,
        [_] | [_, _] => (Precision::Train, parts.iter().map(u32::to_string).collect::<Vec<_>>().join(".")),
        _ => (Precision::Exact, text.to_owned()),
    };
    Some(Version { text, parts, precision, span: Some(span) })
}

/// `FortiGate-91G` is written `FortiGate 91G` in the vendor's life-cycle data.
fn marketing_name(text: &str) -> String {
    match text.split_once('-') {
        Some((family, model)) if model.starts_with(|c: char| c.is_ascii_digit()) => format!("{family} {model}"),
        _ => text.to_owned(),
    }
}

/// The head abbreviates models to six characters; those whose reading is certain are written out, others stay codes.
fn model_of_code(code: &str) -> String {
    let number = |rest: &str| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits >= 2 && rest.len() == digits + 1 && rest.as_bytes()[digits].is_ascii_uppercase()
    };
    for (prefix, family) in [("FGT", "FortiGate"), ("FWF", "FortiWiFi"), ("FG", "FortiGate")] {
        if let Some(rest) = code.strip_prefix(prefix).filter(|r| number(r)) {
            return format!("{family} {rest}");
        }
    }
    code.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    fn head(line: &str) -> Header {
        let mut header = Header::default();
        config_version(line, Span { file: FileId(0), start: 0, end: 1 }, &mut header);
        header
    }

    #[test]
    fn two_digit_trains_are_no_patch_levels() {
        let header = head("FGVM64-5.02-FW-build736-160907:opmode=0:vdom=1:user=admin");
        let version = header.version.expect("version");
        assert_eq!((version.parts.as_slice(), version.precision), ([5, 2].as_slice(), Precision::Train));
        assert!(header.virtual_domains);
    }

    #[test]
    fn both_forms_of_the_head_give_release_and_model() {
        let short = head("FGT60F-7.4.4-FW-build2573-240101:opmode=0:vdom=0:user=admin");
        assert_eq!(short.version.expect("version").parts, [7, 4, 4]);
        assert_eq!(short.model.as_deref(), Some("FortiGate 60F"));
        let long = head("FortiGate-VM64 v6.2.3,build1066,191218 (GA):opmode=1:vdom=0:user=demo");
        assert_eq!(long.version.expect("version").text, "6.2.3");
        assert_eq!(long.model.as_deref(), Some("FortiGate-VM64"));
    }

    #[test]
    fn codes_without_a_certain_reading_stay_codes() {
        assert_eq!(model_of_code("FG100F"), "FortiGate 100F");
        assert_eq!(model_of_code("FWF60E"), "FortiWiFi 60E");
        assert_eq!(model_of_code("FG3K1F"), "FG3K1F");
        assert_eq!(model_of_code("FGVMK6"), "FGVMK6");
    }
}
