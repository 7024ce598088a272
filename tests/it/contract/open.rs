//! Sets that grow are open: what the host tells has a case for what the contract does not know yet, and what a hook answers
//! can be said by a function (docs/decisions/0002-contract-growth.md). A released type never gets a case, so it is too late
//! for both after a release.

use std::collections::BTreeSet;

use wit_parser::{Handle, Resolve, Type, TypeDefKind, TypeId, WorldItem};

use super::shape::next;

/// Told, and closed for a reason.
const CLOSED: &[(&str, &str)] = &[
    ("consent", "`refused` says why in a word"),
    (
        "forwarded",
        "however finely it is counted, it is one of the three",
    ),
    ("status", "`unsendable` says why in a word"),
];

/// Which named variants and enums go from host to guest.
struct Told<'a> {
    resolve: &'a Resolve,
    seen: BTreeSet<TypeId>,
    closed: BTreeSet<String>,
}

impl<'a> Told<'a> {
    fn of(resolve: &'a Resolve, package: wit_parser::PackageId) -> BTreeSet<String> {
        let mut told = Self {
            resolve,
            seen: BTreeSet::new(),
            closed: BTreeSet::new(),
        };
        let package = &resolve.packages[package];
        let mut hooks = BTreeSet::new();
        for world in package.worlds.values() {
            for item in resolve.worlds[*world].exports.values() {
                if let WorldItem::Interface { id, .. } = item {
                    hooks.insert(*id);
                }
            }
        }
        for id in package.interfaces.values() {
            for function in resolve.interfaces[*id].functions.values() {
                match hooks.contains(id) {
                    true => function.params.iter().for_each(|param| told.ty(&param.ty)),
                    false => function.result.iter().for_each(|result| told.ty(result)),
                }
            }
        }
        told.closed
    }

    fn ty(&mut self, ty: &Type) {
        if let Type::Id(id) = ty {
            self.id(*id);
        }
    }

    fn id(&mut self, id: TypeId) {
        if !self.seen.insert(id) {
            return;
        }
        let ty = &self.resolve.types[id];
        let parts: Vec<Type> = match &ty.kind {
            TypeDefKind::Variant(variant) => {
                self.note(ty, variant.cases.iter().map(|case| case.name.as_str()));
                variant.cases.iter().filter_map(|case| case.ty).collect()
            }
            TypeDefKind::Enum(cases) => {
                self.note(ty, cases.cases.iter().map(|case| case.name.as_str()));
                Vec::new()
            }
            TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
            TypeDefKind::Tuple(tuple) => tuple.types.clone(),
            TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::Type(ty) => vec![*ty],
            TypeDefKind::Result(result) => result.ok.into_iter().chain(result.err).collect(),
            // What a resource tells, its methods do.
            TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_)) | TypeDefKind::Resource => {
                Vec::new()
            }
            other => panic!("say here what {other:?} is made of"),
        };
        parts.iter().for_each(|part| self.ty(part));
    }

    fn note<'b>(&mut self, ty: &wit_parser::TypeDef, mut cases: impl Iterator<Item = &'b str>) {
        if !cases.any(|case| case == "other") {
            self.closed.extend(ty.name.clone());
        }
    }
}

fn closed_of_text(text: &str) -> Vec<String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", text).expect("WIT that parses");
    Told::of(&resolve, package).into_iter().collect()
}

#[test]
fn every_set_that_the_host_tells_of_is_open_or_closed_for_a_reason() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(next().1).expect("a contract that parses");
    let closed: Vec<String> = Told::of(&resolve, package).into_iter().collect();
    let known: Vec<&str> = CLOSED.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        closed, known,
        "give it a case `other(string)`, or say why it never grows"
    );
}

#[test]
fn a_set_that_is_told_and_closed_is_found_wherever_it_stands() {
    let closed = closed_of_text(
        r"
        package test:plugin@0.3.0;
        interface host {
          enum asked { one }
          enum answered { one }
          variant behind { one(nested) }
          enum nested { one }
          variant fine { one, other(string) }
          record both { a: option<list<behind>>, b: fine }
          enum refusal { one }
          resource thing { kind: func() -> answered; }
          act: func(a: asked) -> result<both, refusal>;
        }
        interface hook {
          enum given { one }
          enum returned { one }
          run: func(a: given) -> returned;
        }
        world plugin { import host; export hook; }
        ",
    );
    assert_eq!(closed, ["answered", "behind", "given", "nested", "refusal"]);
}
