//! Properties of the language over generated predicates and records: it never panics, more knowledge never turns a verdict,
//! what is read suffices, and over known facts it agrees with an independent implementation of CEL.

use super::*;
use crate::ir::fact::{Origin, WhyCode};
use crate::ir::record::{Value, Word};
use crate::ir::schema::{self, DEVICE, LOGIN_POLICY, Type};
use crate::source::{FileId, Span};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use std::collections::BTreeSet;

/// A predicate about a login policy and its device, as text. `own` adds what CEL does not have.
fn predicate(own: bool) -> impl Strategy<Value = String> {
    let number = prop_oneof![
        select(vec!["lockout_attempts", "it.idle_s", "pw_min", "pw_classes", "device.can.size()", "device.complete.size()"])
            .prop_map(str::to_owned),
        (-1i64..5).prop_map(|n| n.to_string()),
    ]
    .boxed();
    let leaf = prop_oneof![
        4 => select(vec!["in_use", "rate_limit", "lockout_on", "it.pw_enforced", "device.any_untrusted", "true", "false"]).prop_map(str::to_owned),
        2 => select(vec![
            r#"scope == "admin""#, r#""vpn" != scope"#, r#"scope in ["vpn", "admin"]"#, r#"device.role in ["gateway", "ap"]"#,
            r#""ntp_client" in device.can"#, r#"device.version_precision == "train""#, r#"device.product == "x""#,
            r#"device.can.exists(w, w == "ntp_client" || in_use)"#, r#"device.can.all(w, w in ["ntp_client", "auto_update"])"#,
            r#"device.can.exists(v, device.can.all(w, v == w))"#, r#"device.can.all(w, w != "auto_update" && lockout_on)"#,
        ]).prop_map(str::to_owned),
        3 => (number.clone(), select(vec!["<", "<=", ">", ">=", "==", "!="]), number.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
    ];
    leaf.prop_recursive(5, 40, 3, move |inner| {
        let joined = |op: &'static str| vec(inner.clone(), 2..4).prop_map(move |parts| format!("({})", parts.join(op)));
        prop_oneof![
            4 => joined(" && "),
            4 => joined(" || "),
            2 => inner.clone().prop_map(|a| format!("!({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(({a}) == ({b}))")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| format!("(({c}) ? ({a}) : ({b}))")),
            1 => (inner.clone(), number.clone(), number.clone()).prop_map(|(c, a, b)| format!("(({c}) ? {a} : {b}) < 3")),
            1 => inner.clone().prop_map(|a| format!(r#"(({a}) ? "vpn" : scope) == "vpn""#)),
            1 => inner.clone().prop_map(move |a| if own { format!("surely({a})") } else { format!("({a})") }),
            1 => inner.prop_map(move |a| if own { format!("possibly({a})") } else { format!("({a})") }),
        ]
    })
}

/// The same field fully known, and as an export might show it.
type Pair = (Value, Value);

fn why() -> Why {
    Why::new(WhyCode::Site, "x")
}

fn blurred<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + Clone + 'static,
    wrap: fn(Val<T>) -> Value,
) -> BoxedStrategy<Pair> {
    (value.clone(), vec(value, 0..3), 0..4u8, any::<Index>())
        .prop_map(move |(truth, mut others, how, at)| {
            let shown = match how {
                0 => Val::Unknown(why()),
                1 => {
                    others.insert(at.index(others.len() + 1), truth.clone());
                    Val::Among(others, why())
                }
                _ => Val::Known(truth.clone()),
            };
            (wrap(Val::Known(truth)), wrap(shown))
        })
        .boxed()
}

fn set_between(words: &'static [&'static str]) -> BoxedStrategy<Pair> {
    (subsequence(words, 0..=words.len().min(4)), vec(any::<u8>(), words.len()))
        .prop_map(move |(truth, dice)| {
            let owned = |set: Vec<&&'static str>| set.into_iter().map(|w| Word::Borrowed(*w)).collect::<BTreeSet<Word>>();
            let roll = |w: &&str| words.iter().position(|x| x == w).map_or(0, |ix| dice[ix]);
            let lo = owned(truth.iter().filter(|w| roll(w) % 3 != 0).collect());
            let hi = owned(words.iter().filter(|w| truth.contains(w) || roll(w) % 4 == 0).collect());
            let truth = owned(truth.iter().collect());
            (Value::Set { lo: truth.clone(), hi: truth, why: None }, Value::Set { lo, hi, why: Some(why()) })
        })
        .boxed()
}

/// Two records of a kind: all known, and a blurred view of the same.
fn records(kind: &'static Kind) -> impl Strategy<Value = (Record, Record)> {
    let fields: Vec<BoxedStrategy<Pair>> = (kind.fields.iter())
        .map(|f| match f.ty {
            Type::Bool => blurred(any::<bool>(), Value::Bool),
            Type::Int => blurred(0i64..5, Value::Int),
            Type::Word(words) => blurred(select(words).prop_map(Word::Borrowed), Value::Word),
            Type::Text => blurred(select(vec!["x", "y"]).prop_map(str::to_owned), Value::Text),
            Type::Set(words) => set_between(words),
        })
        .collect();
    (fields, vec(origin(), kind.fields.len())).prop_map(move |(pairs, origins)| {
        let (mut known, mut shown) = (Record::new(kind, "known", None), Record::new(kind, "shown", None));
        for ((field, pair), origin) in kind.fields.iter().zip(pairs).zip(origins) {
            known.set(field.name, pair.0, origin.clone());
            shown.set(field.name, pair.1, origin);
        }
        (known, shown)
    })
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![Just(Origin::Written(Span { file: FileId(0), start: 0, end: 1 })), Just(Origin::inferred("x", []))]
}

/// The record with only the fields that were read.
fn only(record: &Record, root: Root, read: &[Read]) -> Record {
    let mut out = Record::new(record.kind, "", None);
    for r in read.iter().filter(|r| r.root == root) {
        let field = record.at(r.field).unwrap();
        out.set(record.kind.fields[r.field].name, field.value.clone(), field.origin.clone());
    }
    out
}

fn compiled(source: &str) -> Predicate {
    compile(source, &LOGIN_POLICY, &Constants::new()).unwrap_or_else(|e| panic!("{source}: {e:?}"))
}

/// Any text, and texts made of the language's own pieces.
fn anything() -> impl Strategy<Value = String> {
    let pieces = vec![
        "&&", "||", "!", "==", "<", "in", "(", ")", "[", "]", ",", ".", "?", ":", "-", "1", "\"", "'", "\\", "it", "device", "never",
        "class", "weak", "dormant", "size", "exists", "all", "contains", "surely", "\"any\"", " ", "//", "\n", "\u{95a2}", "0x", "w",
        "live",
    ];
    prop_oneof![any::<String>(), vec(select(pieces), 0..40).prop_map(|p| p.concat())]
}

fn known<T: Clone>(value: &Val<T>) -> T {
    value.known().cloned().expect("the record is fully known")
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Bool(b) => known(b).into(),
        Value::Int(n) => known(n).into(),
        Value::Word(w) => known(w).into_owned().into(),
        Value::Text(t) => known(t).into(),
        Value::Set { lo, .. } => lo.iter().map(|w| cel::Value::from(w.to_string())).collect::<Vec<_>>().into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_compiler_panic(source in anything()) {
        for kind in [&schema::EXPOSURE, &schema::PROPOSAL] {
            for error in compile(&source, kind, &Constants::new()).err().into_iter().flatten() {
                prop_assert!(source.get(error.span.clone()).is_some(), "{error:?} lies outside the text or inside a character");
            }
        }
    }

    #[test]
    fn more_knowledge_never_turns_a_verdict(source in predicate(false), it in records(&LOGIN_POLICY), device in records(&DEVICE)) {
        let predicate = compiled(&source);
        let (shown, truth) = (predicate.eval(&it.1, &device.1).value.tri(), predicate.eval(&it.0, &device.0).value.tri());
        prop_assert!(truth.is_some(), "known facts decide");
        prop_assert!(shown.is_none() || shown == truth, "{shown:?} became {truth:?}");
        let between = predicate.eval(&it.1, &device.0).value.tri();
        prop_assert!(shown.is_none() || shown == between);
        prop_assert!(between.is_none() || between == truth);
    }

    #[test]
    fn the_fields_read_give_the_same_verdict_alone(source in predicate(true), it in records(&LOGIN_POLICY), device in records(&DEVICE)) {
        let predicate = compiled(&source);
        let whole = predicate.eval(&it.1, &device.1);
        let alone = predicate.eval(&only(&it.1, Root::It, &whole.read), &only(&device.1, Root::Device, &whole.read));
        prop_assert_eq!(whole.value.tri(), alone.value.tri(), "read {:?}", whole.read);
        prop_assert_eq!(whole.value.tri().is_none(), !whole.unknowns.is_empty(), "exactly the unknown verdicts have reasons");
    }

    #[test]
    fn over_known_facts_the_language_agrees_with_cel(source in predicate(false), it in records(&LOGIN_POLICY), device in records(&DEVICE)) {
        let verdict = compiled(&source).eval(&it.0, &device.0).value.tri();
        let mut context = cel::Context::default();
        let view = |record: &Record| -> std::collections::HashMap<String, cel::Value> {
            (record.kind.fields.iter().enumerate()).map(|(ix, f)| (f.name.to_owned(), to_cel(&record.at(ix).unwrap().value))).collect()
        };
        for (name, value) in view(&it.0) {
            context.add_variable_from_value(name, value);
        }
        context.add_variable_from_value("it", view(&it.0));
        context.add_variable_from_value("device", view(&device.0));
        let theirs = cel::Program::compile(&source).unwrap().execute(&context).unwrap();
        prop_assert_eq!(theirs, cel::Value::Bool(verdict.unwrap()));
    }
}
