//! Arguments of a contract's functions, made from their types: the plainest ones, and those of which one part is odd: long,
//! outside of memory, no case of its type. Lowered by hand, as a toolchain would by the canonical ABI.

use std::iter::zip;

use wit_parser::abi::{FlatTypes, WasmType};
use wit_parser::{Handle, Int, Resolve, SizeAlign, Type, TypeDefKind};

use super::imports::word;

/// Bytes of a long text.
pub const LONG: usize = 24_672;
/// Elements of a list of many; each counts 64 bytes beside what is in it.
const MANY: usize = 400;
/// No type has so many cases.
const NO_CASE: usize = 255;
/// Beyond every guest's memory.
const NOWHERE: u32 = 0x7fff_fff8;

/// A value of some type.
#[derive(Debug, Clone)]
pub enum Value {
    Number(u32),
    /// A text or bytes: `x`.
    Bytes,
    /// [`LONG`] bytes.
    LongBytes,
    /// A text of a byte that is none.
    NoText,
    /// A text, bytes or a list where there is no memory.
    Outside,
    /// Elements.
    List(Vec<Value>),
    /// [`MANY`] elements of nothing but zeros.
    Many,
    /// A record or tuple.
    Parts(Vec<Value>),
    /// A case of a variant, enum, option or result.
    Case(usize, Option<Box<Value>>),
    /// A handle of such a resource.
    Handle(String),
    /// A handle that nobody was given.
    NoHandle,
}

/// What is odd about one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// A text or list carries much.
    Long,
    /// A text or list is where there is no memory.
    Outside,
    /// A text is no UTF-8.
    NoText,
    /// A variant, enum, option or result is none of its cases.
    NoCase,
    /// A handle was given to nobody.
    NoHandle,
}

/// Where arguments are put in the guest's memory.
pub struct Layout {
    /// Zeros, as far as nobody else writes.
    pub zeros: u32,
    pub zeros_len: usize,
    /// A byte `x`.
    pub x: u32,
    /// A byte that begins no character.
    pub no_text: u32,
    /// From here on upwards.
    pub next: u32,
    /// What is to be there: address and bytes.
    pub data: Vec<(u32, Vec<u8>)>,
}

pub struct Lowering<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
}

impl<'a> Lowering<'a> {
    pub fn new(resolve: &'a Resolve) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        Self { resolve, sizes }
    }

    fn kind(&self, ty: &Type) -> Option<&'a TypeDefKind> {
        match ty {
            Type::Id(id) => match &self.resolve.types[*id].kind {
                TypeDefKind::Type(same) => self.kind(same),
                kind => Some(kind),
            },
            _ => None,
        }
    }

    /// What a record or tuple is made of.
    fn parts(kind: &TypeDefKind) -> Option<Vec<Type>> {
        match kind {
            TypeDefKind::Record(record) => Some(record.fields.iter().map(|f| f.ty).collect()),
            TypeDefKind::Tuple(tuple) => Some(tuple.types.clone()),
            _ => None,
        }
    }

    /// What may be behind each case.
    fn cases(kind: &TypeDefKind) -> Option<(Int, Vec<Option<Type>>)> {
        match kind {
            TypeDefKind::Variant(all) => {
                Some((all.tag(), all.cases.iter().map(|case| case.ty).collect()))
            }
            TypeDefKind::Enum(all) => Some((all.tag(), vec![None; all.cases.len()])),
            TypeDefKind::Option(some) => Some((Int::U8, vec![None, Some(*some)])),
            TypeDefKind::Result(result) => Some((Int::U8, vec![result.ok, result.err])),
            _ => None,
        }
    }

    fn element(kind: &TypeDefKind) -> Option<Type> {
        match kind {
            TypeDefKind::List(Type::U8) => None,
            TypeDefKind::List(element) => Some(*element),
            _ => None,
        }
    }

    /// Is it a text, or bytes?
    fn is_bytes(&self, ty: &Type) -> bool {
        let bytes = || matches!(self.kind(ty), Some(TypeDefKind::List(Type::U8)));
        *ty == Type::String || bytes()
    }

    /// The plainest value: the first case, nothing optional, empty lists; numbers are 1.
    pub fn plain(&self, ty: &Type) -> Value {
        if self.is_bytes(ty) {
            return Value::Bytes;
        }
        let Some(kind) = self.kind(ty) else {
            return Value::Number(1);
        };
        if let Some(parts) = Self::parts(kind) {
            return Value::Parts(parts.iter().map(|part| self.plain(part)).collect());
        }
        if let Some((_, cases)) = Self::cases(kind) {
            return Value::Case(0, cases[0].map(|ty| Box::new(self.plain(&ty))));
        }
        match kind {
            TypeDefKind::List(_) => Value::List(Vec::new()),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                let name = self.resolve.types[*id].name.clone();
                Value::Handle(name.expect("a resource has a name"))
            }
            other => panic!("no value is known of {other:?}"),
        }
    }

    /// One value for every part of the type that can be odd in this way, that one odd and the rest plain.
    pub fn odd(&self, ty: &Type, odd: Odd) -> Vec<Value> {
        if self.is_bytes(ty) {
            return match odd {
                Odd::Long => vec![Value::LongBytes],
                Odd::Outside => vec![Value::Outside],
                Odd::NoText if *ty == Type::String => vec![Value::NoText],
                _ => Vec::new(),
            };
        }
        let Some(kind) = self.kind(ty) else {
            return Vec::new();
        };
        if let Some(parts) = Self::parts(kind) {
            return self.odd_parts(&parts, odd);
        }
        if let Some((_, cases)) = Self::cases(kind) {
            let all = cases.iter().enumerate();
            let behind = all.filter_map(|(case, ty)| Some((case, self.odd((*ty).as_ref()?, odd))));
            let of = |(case, values): (usize, Vec<Value>)| {
                let one = move |value| Value::Case(case, Some(Box::new(value)));
                values.into_iter().map(one)
            };
            let none = (odd == Odd::NoCase).then_some(Value::Case(NO_CASE, None));
            return behind.flat_map(of).chain(none).collect();
        }
        if let (TypeDefKind::Handle(_), Odd::NoHandle) = (kind, odd) {
            return vec![Value::NoHandle];
        }
        let Some(element) = Self::element(kind) else {
            return Vec::new();
        };
        let all = match odd {
            Odd::Long => Some(Value::Many),
            Odd::Outside => Some(Value::Outside),
            _ => None,
        };
        let one = self.odd(&element, odd).into_iter();
        let one = one.map(|value| Value::List(vec![value]));
        one.chain(all).collect()
    }

    pub fn odd_parts(&self, types: &[Type], odd: Odd) -> Vec<Value> {
        let mut all = Vec::new();
        for (at, ty) in types.iter().enumerate() {
            for value in self.odd(ty, odd) {
                let mut parts: Vec<Value> = types.iter().map(|part| self.plain(part)).collect();
                parts[at] = value;
                all.push(Value::Parts(parts));
            }
        }
        all
    }

    /// Is there a text or a list in it?
    pub fn carries(&self, ty: &Type) -> bool {
        !self.odd(ty, Odd::Long).is_empty()
    }

    /// Instructions that push the arguments, one value for each type: by themselves, or a pointer to where they stand.
    pub fn push(
        &self,
        types: &[Type],
        parts: &[Value],
        by_pointer: bool,
        to: &mut Layout,
    ) -> String {
        if by_pointer {
            let size = self.sizes.params(types).size.size_wasm32();
            let at = room(to, size);
            self.store_parts(types, parts, at, to);
            return format!("(i32.const {at})");
        }
        let flat = zip(types, parts).flat_map(|(ty, value)| self.flat(ty, value, to));
        let pushed: Vec<String> = flat.map(|flat| flat.pushed()).collect();
        pushed.join(" ")
    }

    /// Where a text or list is, and its length. Elements are put into memory.
    fn list(&self, ty: &Type, value: &Value, to: &mut Layout) -> (u32, u32) {
        let element = self.kind(ty).and_then(Self::element);
        let size = element.map_or(1, |element| self.sizes.size(&element).size_wasm32());
        match value {
            Value::Bytes => (to.x, 1),
            Value::LongBytes => (to.zeros, LONG as u32),
            Value::NoText => (to.no_text, 1),
            Value::Outside => (NOWHERE, 8),
            Value::Many => {
                assert!(size * MANY <= to.zeros_len, "so many do not fit");
                (to.zeros, MANY as u32)
            }
            Value::List(elements) => {
                let at = room(to, size * elements.len());
                let element = element.as_ref().expect("elements are of a type");
                for (n, value) in elements.iter().enumerate() {
                    self.store(element, value, at + (n * size) as u32, to);
                }
                (at, elements.len() as u32)
            }
            other => panic!("no list: {other:?}"),
        }
    }

    fn flat(&self, ty: &Type, value: &Value, to: &mut Layout) -> Vec<Flat> {
        let pair = |(at, len): (u32, u32)| vec![Flat::number(at), Flat::number(len)];
        match value {
            Value::Number(number) => vec![Flat::Number(self.types(ty)[0], u64::from(*number))],
            Value::Parts(parts) => {
                let types = self.kind(ty).and_then(Self::parts).expect("parts");
                let all = zip(&types, parts);
                all.flat_map(|(ty, value)| self.flat(ty, value, to))
                    .collect()
            }
            Value::Case(case, behind) => {
                let (_, cases) = self.kind(ty).and_then(Self::cases).expect("cases");
                let mut flat = vec![Flat::number(*case as u32)];
                if let (Some(Some(ty)), Some(value)) = (cases.get(*case), behind) {
                    flat.extend(self.flat(ty, value, to));
                }
                // All cases share the same places, each as wide as the widest of them.
                let places = self.types(ty);
                flat.resize(places.len(), Flat::number(0));
                zip(flat, places)
                    .map(|(flat, ty)| flat.in_place_of(ty))
                    .collect()
            }
            Value::Handle(resource) => vec![Flat::Handle(resource.clone())],
            Value::NoHandle => vec![Flat::number(99)],
            bytes_or_list => pair(self.list(ty, bytes_or_list, to)),
        }
    }

    fn types(&self, ty: &Type) -> Vec<WasmType> {
        let mut places = [WasmType::I32; 256];
        let mut flat = FlatTypes::new(&mut places);
        assert!(self.resolve.push_flat(ty, &mut flat), "a type of so many");
        flat.to_vec()
    }

    fn store_parts(&self, types: &[Type], parts: &[Value], at: u32, to: &mut Layout) {
        let offsets = self.sizes.field_offsets(types);
        for ((offset, ty), value) in zip(offsets, parts) {
            self.store(ty, value, at + offset.size_wasm32() as u32, to);
        }
    }

    fn store(&self, ty: &Type, value: &Value, at: u32, to: &mut Layout) {
        let pair = |(pointer, len): (u32, u32)| [pointer.to_le_bytes(), len.to_le_bytes()].concat();
        match value {
            Value::Number(number) => {
                let flat = Flat::Number(self.types(ty)[0], u64::from(*number));
                let size = self.sizes.size(ty).size_wasm32();
                to.data
                    .push((at, flat.bits().to_le_bytes()[..size].to_vec()));
            }
            Value::Parts(parts) => {
                let types = self.kind(ty).and_then(Self::parts).expect("parts");
                self.store_parts(&types, parts, at, to);
            }
            Value::Case(case, behind) => {
                let (tag, cases) = self.kind(ty).and_then(Self::cases).expect("cases");
                to.data.push((at, vec![*case as u8]));
                if let (Some(Some(ty)), Some(value)) = (cases.get(*case), behind) {
                    let types = cases.iter().map(Option::as_ref);
                    let offset = self.sizes.payload_offset(tag, types).size_wasm32();
                    self.store(ty, value, at + offset as u32, to);
                }
            }
            Value::Handle(_) | Value::NoHandle => panic!("handles are not passed in memory"),
            bytes_or_list => {
                let bytes = pair(self.list(ty, bytes_or_list, to));
                to.data.push((at, bytes));
            }
        }
    }
}

fn room(to: &mut Layout, size: usize) -> u32 {
    let at = to.next.next_multiple_of(8);
    to.next = at + size as u32;
    at
}

/// A value of core wasm.
#[derive(Debug, Clone)]
enum Flat {
    Number(WasmType, u64),
    Handle(String),
}

impl Flat {
    fn number(number: u32) -> Self {
        Self::Number(WasmType::I32, u64::from(number))
    }

    /// As it is written into memory, or into an integer.
    fn bits(&self) -> u64 {
        match self {
            Self::Number(WasmType::F64, number) => (*number as f64).to_bits(),
            Self::Number(WasmType::F32, number) => u64::from((*number as f32).to_bits()),
            Self::Number(_, number) => *number,
            Self::Handle(_) => panic!("handles have no bits here"),
        }
    }

    /// Of a case whose place others want to be wider, or an integer.
    fn in_place_of(self, place: WasmType) -> Self {
        match &self {
            Self::Number(own, _) if word(*own) == word(place) => self,
            Self::Number(..) => Self::Number(place, self.bits()),
            Self::Handle(_) => self,
        }
    }

    fn pushed(&self) -> String {
        match self {
            Self::Number(ty, number) => format!("({}.const {number})", word(*ty)),
            Self::Handle(resource) => format!("(local.get {})", local(resource)),
        }
    }
}

/// Which local has the handle: a hook is given what it is about and the conversation, others it asks for.
fn local(resource: &str) -> &'static str {
    match resource {
        "message" | "event" | "timer" | "receipt" => "$m",
        "conversation" => "$c",
        _ => "$h",
    }
}
