//! The contract is documentation for strangers: every item says what it is, and what can be called or written down has an
//! example in backticks (`docs/plugins.md` promises both).

use std::path::Path;

use wit_parser::{Docs, FunctionKind, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeOwner};

use super::shape::next;

/// What is wrong with the docs of a contract, each with the item's name.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn of(resolve: &Resolve, package: wit_parser::PackageId) -> Vec<String> {
        let mut complaints = Self::default();
        for (name, id) in &resolve.packages[package].interfaces {
            let interface = &resolve.interfaces[*id];
            complaints.example(name, &interface.docs, |span| !span.is_empty());
            complaints.interface(name, resolve, interface);
        }
        complaints.0
    }

    fn interface(&mut self, name: &str, resolve: &Resolve, interface: &Interface) {
        for (own, id) in &interface.types {
            let ty = &resolve.types[*id];
            if !is_of_another_interface(resolve, ty) {
                self.definition(&format!("{name}.{own}"), ty);
            }
        }
        for (own, function) in &interface.functions {
            // A method's name is `[method]message.text`, and its example `text()`.
            let called = match function.kind {
                FunctionKind::Freestanding => own.as_str(),
                _ => own.rsplit('.').next().unwrap_or(own),
            };
            let call = format!("{called}(");
            let is_call = |span: &str| span.starts_with(&call) && span.ends_with(')');
            self.example(&format!("{name}.{own}"), &function.docs, is_call);
        }
    }

    fn definition(&mut self, name: &str, ty: &TypeDef) {
        let part = |part: &str| format!("{name}.{part}");
        match &ty.kind {
            TypeDefKind::Record(record) => {
                let is_record = |span: &str| span.starts_with('{') && span.ends_with('}');
                self.example(name, &ty.docs, is_record);
                for field in &record.fields {
                    self.said(&part(&field.name), &field.docs);
                }
            }
            TypeDefKind::Variant(variant) => {
                self.said(name, &ty.docs);
                for case in &variant.cases {
                    self.said(&part(&case.name), &case.docs);
                }
            }
            TypeDefKind::Enum(cases) => {
                self.said(name, &ty.docs);
                for case in &cases.cases {
                    self.said(&part(&case.name), &case.docs);
                }
            }
            TypeDefKind::Flags(flags) => {
                self.said(name, &ty.docs);
                for flag in &flags.flags {
                    self.said(&part(&flag.name), &flag.docs);
                }
            }
            _ => self.said(name, &ty.docs),
        }
    }

    fn said(&mut self, name: &str, docs: &Docs) {
        if text(docs).trim().is_empty() {
            self.0.push(format!("{name} has no docs"));
        }
    }

    fn example(&mut self, name: &str, docs: &Docs, fits: impl Fn(&str) -> bool) {
        self.said(name, docs);
        // Between the first and the second backtick is an example, and so on.
        let mut spans = text(docs).split('`').skip(1).step_by(2);
        if !spans.any(fits) {
            self.0.push(format!("{name} has no example"));
        }
    }
}

fn text(docs: &Docs) -> &str {
    docs.contents.as_deref().unwrap_or_default()
}

/// Is it a name that `use` brought here? Its docs stand where it is from.
fn is_of_another_interface(resolve: &Resolve, ty: &TypeDef) -> bool {
    let home = |owner: TypeOwner| match owner {
        TypeOwner::Interface(id) => Some(id),
        _ => None,
    };
    match ty.kind {
        TypeDefKind::Type(Type::Id(other)) => home(resolve.types[other].owner) != home(ty.owner),
        _ => false,
    }
}

fn complaints_of(folder: &Path) -> Vec<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder).expect("a contract that parses");
    Complaints::of(&resolve, package)
}

#[test]
fn every_item_of_the_contract_says_what_it_is_and_has_an_example_where_it_is_used() {
    let complaints = complaints_of(&next().1);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_is_not_said_is_found() {
    let text = r"
        package test:plugin@0.2.0;
        interface types {
          record pair { a: u32 }
          variant choice { one }
          enum kind { x }
          flags set { p }
          /// A name.
          type name = string;
        }
        /// Of pairs: `act({ a: 1 })`.
        interface host {
          use types.{pair};
          /// Without an example: `act`.
          act: func(p: pair) -> result<_, string>;
          /// Of things.
          resource thing { id: func() -> string; }
          /// `{ b: 1 }`.
          record fine {
            /// One.
            b: u32,
          }
        }
    ";
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", text).expect("WIT that parses");
    let found = Complaints::of(&resolve, package);
    let expected = [
        "types has no docs",
        "types has no example",
        "types.pair has no docs",
        "types.pair has no example",
        "types.pair.a has no docs",
        "types.choice has no docs",
        "types.choice.one has no docs",
        "types.kind has no docs",
        "types.kind.x has no docs",
        "types.set has no docs",
        "types.set.p has no docs",
        "host.act has no example",
        "host.[method]thing.id has no docs",
        "host.[method]thing.id has no example",
    ];
    assert_eq!(found, expected);
}
