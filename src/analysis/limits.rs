//! Who a listener's own limits let in: source lists, and the union over what its administrators may come from.

use super::between;
use super::engine::Engine;
use super::flow::CELLS;
use super::resolve::Resolver;
use crate::ir::account::AccountKind;
use crate::ir::fact::{Origin, Rest, Val, Why, WhyCode};
use crate::ir::filter::AddrExpr;
use crate::ir::interface::InterfaceIx;
use crate::ir::listener::{Limit, LimitStage, Listener};
use crate::packet::{self, AddrSet, Class, Intervals, Product};

/// Fewer addresses than the hosts of any network that serves a facility.
const FEWER_THAN_A_NETWORK: u128 = 8;

/// Sources a limit admits: parts with, where they are unknown, the size their kind gives.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    pub(super) parts: Vec<(AddrSet, Option<(Class, Class)>)>,
    pub(super) sure: bool,
    pub(super) why: Option<Why>,
    pub(super) origin: Origin,
}

impl Admitted {
    fn all(origin: Origin) -> Admitted {
        Admitted { parts: vec![(AddrSet::any(), None)], sure: true, why: None, origin }
    }

    pub(super) fn doubt(why: Why, origin: Origin) -> Admitted {
        Admitted { parts: vec![(AddrSet::any(), None)], sure: false, why: Some(why), origin }
    }

    fn or(&self, other: &Admitted) -> Admitted {
        // What is sure stays sure; a doubtful part widens only what is possible.
        let size = |a: &Admitted, s: Option<(Class, Class)>| if a.sure { s } else { Some((Class::None, s.map_or(Class::Any, |s| s.1))) };
        let parts = |a: &Admitted| a.parts.iter().map(|(set, s)| (set.clone(), size(a, *s))).collect::<Vec<_>>();
        let mut all = parts(self);
        all.extend(parts(other));
        let (known, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, s)| s.is_none());
        let known = AddrSet::union_of(known.iter().map(|(a, _)| a));
        let mut parts = vec![(known, None)];
        parts.extend(rest.into_iter().take(CELLS));
        Admitted { parts, sure: true, why: self.why.clone().or_else(|| other.why.clone()), origin: self.origin.joined(&other.origin) }
    }

    fn and(&self, other: &Admitted) -> Admitted {
        let mut parts = Vec::new();
        for (a, x) in &self.parts {
            for (b, y) in &other.parts {
                let size = match (x, y) {
                    (None, s) | (s, None) => *s,
                    (Some(x), Some(y)) => Some((Class::None, x.1.min(y.1))),
                };
                parts.push((a.intersection(b), size));
            }
        }
        parts.truncate(CELLS);
        Admitted {
            parts,
            sure: self.sure && other.sure,
            why: self.why.clone().or_else(|| other.why.clone()),
            origin: self.origin.joined(&other.origin),
        }
    }
}

impl Engine<'_> {
    /// Whether a listener admits every address of an interface's own networks. `through` are the sources that filters surely and
    /// possibly let pass.
    pub(super) fn admits_whole_net(&self, listener: &Listener, ingress: InterfaceIx, through: &(AddrSet, AddrSet)) -> Val<bool> {
        let nets = self.resolver.networks(&[ingress]).lo;
        let connect = self.limits(&listener.limits, LimitStage::Connect);
        let lo = AddrSet::union_of(connect.parts.iter().filter(|(_, s)| s.is_none()).map(|(a, _)| a));
        let hi = AddrSet::union_of(connect.parts.iter().map(|(a, _)| a));
        let v4 = AddrSet { v6: Intervals::empty(), ..nets };
        if through.1.is_empty() {
            return Val::Known(false);
        }
        if v4.is_empty() {
            // Of a network that the export does not show, it is known that it is admitted where everybody is, and that it is not where
            // hardly an address is.
            let few = hi.intersection(&through.1);
            if connect.sure && self.outside(ingress, false).is_subset(&lo.intersection(&through.0)) {
                return Val::Known(true);
            }
            if few.v6.is_empty() && few.v4.count() < FEWER_THAN_A_NETWORK {
                return Val::Known(false);
            }
            return Val::Unknown(connect.why.unwrap_or_else(|| Why::new(WhyCode::NotExported, self.name(ingress))));
        }
        let (lo, hi) = (lo.intersection(&through.0), hi.intersection(&through.1));
        between(connect.sure && v4.is_subset(&lo), v4.is_subset(&hi), || {
            connect.why.clone().unwrap_or_else(|| Why::new(WhyCode::RuntimeContent, self.name(ingress)))
        })
    }

    /// Sources a limit admits at one moment of the login.
    pub(super) fn limits(&self, limit: &Limit, stage: LimitStage) -> Admitted {
        match limit {
            Limit::None(origin) => Admitted::all(origin.clone()),
            Limit::Sources { stage: s, admits } if *s == stage => match admits.get() {
                Some(expr) => self.admitted(expr, admits.origin.clone()),
                None => {
                    Admitted::doubt(admits.value.why().cloned().unwrap_or_else(|| Why::new(WhyCode::Unmodelled, "")), admits.origin.clone())
                }
            },
            Limit::Sources { admits, .. } => Admitted::all(admits.origin.clone()),
            Limit::AllOf(list) => {
                list.iter().map(|l| self.limits(l, stage)).reduce(|a, b| a.and(&b)).unwrap_or_else(|| Admitted::all(Origin::all([])))
            }
            Limit::AnyOf(list) => {
                list.iter().map(|l| self.limits(l, stage)).reduce(|a, b| a.or(&b)).unwrap_or_else(|| Admitted::all(Origin::all([])))
            }
            Limit::UnionOverAdmins { stage: s } if *s == stage => self.union_over_admins(),
            Limit::UnionOverAdmins { .. } => Admitted::all(Origin::all([])),
            Limit::Unknown(why) if stage == LimitStage::Connect => {
                Admitted::doubt(why.clone(), Origin::all(why.spans().iter().map(|s| Origin::Written(*s))))
            }
            Limit::Unknown(_) => Admitted::all(Origin::all([])),
        }
    }

    fn admitted(&self, expr: &AddrExpr, origin: Origin) -> Admitted {
        let set = self.resolver.addresses(expr);
        if set.lo == set.hi {
            return Admitted { parts: vec![(set.lo, None)], sure: true, why: None, origin };
        }
        // Known addresses, and the unknown rest with the size its kind gives.
        let size = opaque_size(&self.resolver, expr);
        let rest = set.hi.difference(&set.lo);
        Admitted {
            parts: vec![(set.lo, None), (rest, Some(size))],
            sure: true,
            why: Some(Why::at(WhyCode::RuntimeContent, opaque_text(expr), origin.spans())),
            origin,
        }
    }

    /// Whoever one of the administrators is allowed to come from; one without a limit opens it to all.
    fn union_over_admins(&self) -> Admitted {
        let shared = self.cx.shared();
        let mut all: Option<Admitted> = None;
        let mut unlimited: Option<Admitted> = None;
        for account in shared.accounts.iter() {
            let admin = matches!(account.kind, AccountKind::Admin | AccountKind::Wildcard | AccountKind::Api);
            let live = account.live.value();
            if !admin || live.value.is_false() {
                continue;
            }
            let mut one = self.limits(&account.sources, LimitStage::Connect);
            one.origin = Origin::all([Origin::Written(account.span), one.origin]);
            if !live.value.is_true() {
                one.sure = false;
                one.why = live.value.why().cloned();
            }
            // The first account without any limit is the evidence; the others change nothing.
            if one.sure && one.parts.iter().any(|(a, s)| s.is_none() && *a == AddrSet::any()) && unlimited.is_none() {
                unlimited = Some(one.clone());
            }
            all = Some(all.map_or_else(|| one.clone(), |a| a.or(&one)));
        }
        let from_list = match (&shared.accounts.rest, &shared.admin_paths.rest) {
            (Rest::MayHoldMore(why), _) | (_, Rest::MayHoldMore(why)) => Some(why.clone()),
            _ => None,
        };
        if let Some(one) = unlimited {
            return one;
        }
        match (all, from_list) {
            (Some(a), None) => a,
            // Administrators the export does not show may be unlimited.
            (Some(a), Some(why)) => {
                a.or(&Admitted { parts: vec![(AddrSet::any(), None)], sure: false, why: Some(why), origin: Origin::all([]) })
            }
            (None, Some(why)) => Admitted::doubt(why, Origin::all([])),
            (None, None) => Admitted::doubt(Why::new(WhyCode::NotExported, "administrators"), Origin::all([])),
        }
    }
}

fn opaque_text(expr: &AddrExpr) -> String {
    match expr {
        AddrExpr::Opaque(o) => o.text.clone(),
        AddrExpr::Union(parts) => parts.iter().map(opaque_text).find(|t| !t.is_empty()).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The size of the unknown part of an expression.
fn opaque_size(resolver: &Resolver<'_>, expr: &AddrExpr) -> (Class, Class) {
    let set = resolver.addresses(expr);
    let matches = packet::Match::between(&set.matches, &packet::AddrMatch::known(AddrSet::any()), &Product::any());
    let sizes = matches.terms.iter().flat_map(|t| &t.literals).map(|l| {
        let size = resolver.size(l.variable.atom);
        if l.member { size.inside } else { size.outside }
    });
    sizes.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1))).unwrap_or((Class::None, Class::Any))
}
