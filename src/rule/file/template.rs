//! Message templates: text with placeholders for facts.
//!
//! `{field}` (or `{it.field}`) is a field of the subject, `{device.field}` one of the device, `{subject}` the subject's name; `{{` and `}}` are
//! braces. Placeholders are checked against the schema when a rule is loaded. Secrets have no field, so none can be named here.
//! Values come as the configuration writes them: whoever prints a message makes control characters visible.

use crate::ir::fact::Val;
use crate::ir::record::{Field, NEVER, Record, Value};
use crate::ir::schema::{DEVICE, Kind};
use crate::rule::error::{RuleError, keys};
use crate::rule::predicate::{Read, Root};
use std::ops::Range;

/// A checked message template for subjects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Subject,
    Field(Read),
}

/// How values read in one language.
pub trait Wording {
    /// A word of an enumeration, as a field of this name holds it. `never` for a number without end.
    fn word(&self, field: &str, word: &str) -> String;
    /// A duration in seconds; [`NEVER`] is without end.
    fn duration(&self, seconds: i64) -> String;
    /// Something that is not known.
    fn unknown(&self) -> String;
    /// Several things; none is possible. What is not sure is the last of them, as [`Wording::unknown`] words it.
    fn list(&self, items: &[String]) -> String;
    /// A truth value.
    fn yes_no(&self, value: bool) -> String;
}

/// The placeholder's meaning for subjects of a kind.
fn resolve(name: &str, kind: &'static Kind) -> Option<Part> {
    if name == "subject" {
        return Some(Part::Subject);
    }
    let (root, kind, field) = match name.split_once('.') {
        None => (Root::It, kind, name),
        Some(("it", field)) => (Root::It, kind, field),
        Some(("device", field)) => (Root::Device, &DEVICE, field),
        Some(_) => return None,
    };
    kind.index(field).map(|field| Part::Field(Read { root, field }))
}

/// The first placeholder in a text that takes none: one that would mean something in a message. Other braces are the text's own.
pub(super) fn stray_placeholder(text: &str, kind: &'static Kind) -> Option<Range<usize>> {
    let braces: Vec<(usize, &str)> = text.match_indices(['{', '}']).collect();
    let pairs = braces.windows(2).filter_map(|pair| match pair {
        [(open, "{"), (close, "}")] => Some(*open..close + 1),
        _ => None,
    });
    pairs.into_iter().find(|span| resolve(&text[span.start + 1..span.end - 1], kind).is_some())
}

impl Template {
    /// Compiles a template for subjects of `kind`. Errors: every unknown placeholder and every brace that stands alone; ranges count in `source`.
    pub fn compile(source: &str, kind: &'static Kind) -> Result<Template, Vec<RuleError>> {
        let (mut parts, mut errors, mut literal) = (Vec::new(), Vec::new(), String::new());
        let mut at = 0;
        while let Some(found) = source[at..].find(['{', '}']) {
            literal.push_str(&source[at..at + found]);
            at += found;
            let rest = &source[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push_str(&rest[..1]);
                at += 2;
                continue;
            }
            let inside = rest.strip_prefix('{').and_then(|r| r.find(['{', '}']).filter(|ix| r[*ix..].starts_with('}')).map(|ix| &r[..ix]));
            let Some(name) = inside else {
                errors.push(RuleError::new(keys::BRACE_ALONE, at..at + 1, [&rest[..1]]));
                at += 1;
                continue;
            };
            let span = at..at + name.len() + 2;
            at = span.end;
            match resolve(name, kind) {
                Some(part) => {
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(part);
                }
                None => errors.push(unknown_placeholder(name, span, kind)),
            }
        }
        literal.push_str(&source[at..]);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        if errors.is_empty() { Ok(Template { parts }) } else { Err(errors) }
    }

    /// The message about a subject.
    pub fn render(&self, record: &Record, device: &Record, words: &dyn Wording) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Subject => out.push_str(&record.subject),
                Part::Field(read) => {
                    let kind = if read.root == Root::It { record.kind } else { device.kind };
                    let name = kind.fields.get(read.field).map_or("", |f| f.name);
                    out.push_str(&show(name, read.of(record, device), words));
                }
            }
        }
        out
    }
}

fn unknown_placeholder(name: &str, span: Range<usize>, kind: &'static Kind) -> RuleError {
    let error = RuleError::new(keys::UNKNOWN_PLACEHOLDER, span, [&format!("{{{name}}}"), kind.name]);
    match name.strip_prefix("device.") {
        Some(field) => error.with_valid(field, DEVICE.fields.iter().map(|f| f.name)),
        None => error.with_valid(name.strip_prefix("it.").unwrap_or(name), kind.fields.iter().map(|f| f.name).chain(["subject"])),
    }
}

/// A field's value in words.
fn show(name: &str, field: Option<&Field>, words: &dyn Wording) -> String {
    let number = |n: i64| match n {
        n if name.ends_with("_s") => words.duration(n),
        NEVER => words.word(name, "never"),
        n => n.to_string(),
    };
    match field.map(|f| &f.value) {
        None => words.unknown(),
        Some(Value::Bool(b)) => b.tri().map_or_else(|| words.unknown(), |b| words.yes_no(b)),
        Some(Value::Int(n)) => candidates(n, |n| number(*n), words),
        Some(Value::Word(w)) => candidates(w, |w| words.word(name, w), words),
        Some(Value::Text(t)) => candidates(t, |t| if t.is_empty() { words.word("value", "no_name") } else { t.clone() }, words),
        Some(Value::Set { lo, hi, .. }) => {
            let mut items: Vec<String> = lo.iter().map(|w| words.word(name, w)).collect();
            if !hi.is_subset(lo) {
                items.push(words.unknown());
            }
            words.list(&items)
        }
    }
}

fn candidates<T>(value: &Val<T>, show: impl Fn(&T) -> String, words: &dyn Wording) -> String {
    match value {
        Val::Known(v) => show(v),
        Val::Among(vs, _) if !vs.is_empty() => {
            let mut items: Vec<String> = Vec::new();
            for item in vs.iter().map(show) {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            if items.len() == 1 { items.swap_remove(0) } else { words.list(&items) }
        }
        Val::Among(..) | Val::Unknown(_) => words.unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::fact::{Fact, Origin, Why, WhyCode};
    use crate::ir::schema;
    use proptest::prelude::*;
    use std::borrow::Cow;

    struct Plain;

    impl Wording for Plain {
        fn word(&self, field: &str, word: &str) -> String {
            format!("{field}:{word}")
        }
        fn duration(&self, seconds: i64) -> String {
            if seconds == NEVER { "without end".into() } else { format!("{seconds} s") }
        }
        fn unknown(&self) -> String {
            "?".into()
        }
        fn list(&self, items: &[String]) -> String {
            if items.is_empty() { "nothing".into() } else { items.join(", ") }
        }
        fn yes_no(&self, value: bool) -> String {
            if value { "yes".into() } else { "no".into() }
        }
    }

    fn stated() -> Origin {
        Origin::Stated("test".into())
    }

    fn render(source: &str, record: &Record) -> String {
        let mut device = Record::new(&schema::DEVICE, "fw1", None);
        device.text("product", "RTX1210", stated());
        Template::compile(source, record.kind).unwrap().render(record, &device, &Plain)
    }

    fn policy() -> Record {
        let mut it = Record::new(&schema::LOGIN_POLICY, "admin logins", None);
        let why = || Why::new(WhyCode::DefaultByVersion, "x");
        it.word("scope", Fact::known("admin".into(), stated()))
            .int("idle_s", Fact { value: Val::Among(vec![300, NEVER], why()), origin: stated() })
            .int("pw_min", Fact::known(8, stated()))
            .int("pw_max_age", Fact::known(NEVER, stated()))
            .bool("in_use", Fact::known(true, stated()))
            .bool("rate_limit", Fact::unknown(why()));
        it
    }

    #[test]
    fn values_read_as_their_language_words_them() {
        let it = policy();
        assert_eq!(render("{subject} on {device.product}: {scope}, {{{it.pw_min}}}", &it), "admin logins on RTX1210: scope:admin, {8}");
        assert_eq!(render("{idle_s}; {pw_max_age}", &it), "300 s, without end; pw_max_age:never");
        assert_eq!(render("{in_use} {rate_limit} {lockout_on} {device.role}", &it), "yes ? ? ?");
        assert_eq!(render("", &it), "");
    }

    #[test]
    fn sets_and_candidates_are_lists() {
        let mut it = Record::new(&schema::PROPOSAL, "ike1", None);
        let set = |words: &[&'static str]| words.iter().map(|w| Cow::Borrowed(*w)).collect();
        let why = Why::new(WhyCode::Masked, "x");
        it.set("weak", Value::Set { lo: set(&["des"]), hi: set(&["des", "md5"]), why: Some(why.clone()) }, stated());
        it.word("side", Fact { value: Val::Among(vec!["offered".into(), "offered".into()], why), origin: stated() });
        assert_eq!(render("{weak}; {side}", &it), "weak:des, ?; side:offered");
        it.exact_set("weak", set(&[]), stated());
        assert_eq!(render("{weak}", &it), "nothing");
    }

    #[test]
    fn mistakes_point_at_their_place() {
        let source = "{scop} } {device.prodct} {it.idle_s {subject.x}";
        let errors = Template::compile(source, &schema::LOGIN_POLICY).unwrap_err();
        let found: Vec<_> = errors.iter().map(|e| (e.key, &source[e.span.clone()], e.meant.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("unknown_placeholder", "{scop}", Some("scope")),
                ("brace_alone", "}", None),
                ("unknown_placeholder", "{device.prodct}", Some("product")),
                ("brace_alone", "{", None),
                ("unknown_placeholder", "{subject.x}", Some("subject")),
            ]
        );
    }

    #[test]
    fn only_what_would_be_a_placeholder_counts_as_stray() {
        let kind = &schema::LOGIN_POLICY;
        assert_eq!(stray_placeholder("a {scope}", kind), Some(2..9));
        assert_eq!(stray_placeholder("system { services { ssh } {subject}", kind), Some(26..35));
        assert_eq!(stray_placeholder("system { services { ssh } }", kind), None);
        assert_eq!(stray_placeholder("{", kind), None);
    }

    proptest! {
        #[test]
        fn any_text_compiles_or_says_where_not(source in "[{}a-z.\u{95a2}]{0,30}") {
            for error in Template::compile(&source, &schema::CLOCK).err().into_iter().flatten() {
                prop_assert!(source.get(error.span.clone()).is_some_and(|s| !s.is_empty()));
            }
            stray_placeholder(&source, &schema::CLOCK);
        }
    }
}
