//! The schema: which types there are, what may go in, and what may come out.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql_parser::parse_schema;
use async_graphql_parser::types::{BaseType, Type, TypeKind, TypeSystemDefinition};
use serde_json::{Map, Value, json};

use super::judge::Wanted;

/// Nodes of a connection that does not say how many of them are wanted.
pub(super) const UNSAID: u64 = 100;
/// What is built into GraphQL, as far as the schema uses it.
const BUILT_IN: [&str; 3] = ["String", "Int", "Boolean"];

/// A field of an object.
pub(super) struct FieldType {
    /// Its arguments.
    pub arguments: BTreeMap<String, Type>,
    /// What it is.
    pub ty: Type,
}

/// The schema, read once.
pub(super) struct Schema {
    objects: BTreeMap<String, BTreeMap<String, FieldType>>,
    inputs: BTreeMap<String, BTreeMap<String, Type>>,
    scalars: BTreeSet<String>,
}

/// The name at the bottom of a type.
fn name_of(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => name_of(inner),
    }
}

impl Schema {
    /// Reads the schema that is part of the program.
    ///
    /// # Errors
    /// The parser's words, or the name of a type that is used and not there.
    pub(super) fn read() -> Result<Self, String> {
        let document = parse_schema(include_str!("schema.graphql")).map_err(|error| error.to_string())?;
        let scalars = BUILT_IN.iter().map(|name| (*name).to_owned()).collect();
        let mut schema = Self { objects: BTreeMap::new(), inputs: BTreeMap::new(), scalars };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            match definition.node.kind {
                TypeKind::Scalar => {
                    schema.scalars.insert(name);
                }
                TypeKind::Object(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let arguments = field.node.arguments.into_iter();
                        let arguments =
                            arguments.map(|one| (one.node.name.node.to_string(), one.node.ty.node)).collect();
                        (field.node.name.node.to_string(), FieldType { arguments, ty: field.node.ty.node })
                    });
                    schema.objects.insert(name, fields.collect());
                }
                TypeKind::InputObject(input) => {
                    let fields = input.fields.into_iter();
                    let fields = fields.map(|field| (field.node.name.node.to_string(), field.node.ty.node));
                    schema.inputs.insert(name, fields.collect());
                }
                TypeKind::Interface(_) | TypeKind::Union(_) | TypeKind::Enum(_) => {
                    return Err(format!("{name} is of a kind that is not judged here"));
                }
            }
        }
        schema.is_closed()?;
        Ok(schema)
    }

    /// Every type that is named is there, and where it belongs.
    fn is_closed(&self) -> Result<(), String> {
        let fields = || self.objects.values().flat_map(BTreeMap::values);
        let inward = fields().flat_map(|field| field.arguments.values());
        for ty in inward.chain(self.inputs.values().flat_map(BTreeMap::values)) {
            if !self.is_input(ty) {
                return Err(format!("{ty} cannot go in"));
            }
        }
        for field in fields() {
            let name = name_of(&field.ty);
            if !self.objects.contains_key(name) && !self.scalars.contains(name) {
                return Err(format!("{name} is not defined"));
            }
        }
        Ok(())
    }

    /// Whether values of this type can go in.
    pub(super) fn is_input(&self, ty: &Type) -> bool {
        let name = name_of(ty);
        self.inputs.contains_key(name) || self.scalars.contains(name)
    }

    /// A field of an object type.
    pub(super) fn field(&self, object: &str, name: &str) -> Option<&FieldType> {
        self.objects.get(object)?.get(name)
    }

    /// The object type at the bottom of a type, where it is one.
    pub(super) fn object<'t>(&self, ty: &'t Type) -> Option<&'t str> {
        Some(name_of(ty)).filter(|name| self.objects.contains_key(*name))
    }

    /// A connection: nodes in pages.
    pub(super) fn is_connection(&self, ty: &Type) -> bool {
        self.object(ty).is_some_and(|name| self.field(name, "edges").is_some())
    }

    /// The fields of an input type.
    pub(super) fn input(&self, ty: &Type) -> Option<&BTreeMap<String, Type>> {
        self.inputs.get(name_of(ty))
    }

    /// Whether a value may go in where this type is wanted.
    ///
    /// # Errors
    /// Where it does not fit, with its place.
    pub(super) fn fits(&self, ty: &Type, value: &Value, place: &str) -> Result<(), String> {
        if value.is_null() {
            return if ty.nullable { Ok(()) } else { Err(format!("{place} must not be null: it is {ty}")) };
        }
        let name = match (&ty.base, value) {
            (BaseType::List(inner), Value::Array(list)) => {
                return list.iter().try_for_each(|one| self.fits(inner, one, place));
            }
            // A single value stands for a list of one.
            (BaseType::List(inner), one) => return self.fits(inner, one, place),
            (BaseType::Named(name), _) => name.as_str(),
        };
        if let Some(fields) = self.inputs.get(name) {
            let Some(given) = value.as_object() else { return Err(format!("{place} must be a {name}")) };
            if let Some(unknown) = given.keys().find(|key| !fields.contains_key(*key)) {
                return Err(format!("{place}.{unknown} is not a field of {name}"));
            }
            return fields.iter().try_for_each(|(field, ty)| {
                self.fits(ty, given.get(field).unwrap_or(&Value::Null), &format!("{place}.{field}"))
            });
        }
        match self.is_scalar(name, value) {
            true => Ok(()),
            false => Err(format!("{place} must be {ty}, and is {value}")),
        }
    }

    fn is_scalar(&self, name: &str, value: &Value) -> bool {
        match name {
            "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            "Boolean" => value.is_boolean(),
            _ => self.scalars.contains(name) && value.is_string(),
        }
    }

    /// What is wanted of a document that has everything: exactly the fields asked for, each of its type, connections cut to the
    /// page that was paid for. What the document lacks, or has in another type, is written down: the answer would not be the
    /// vendor's.
    pub(super) fn answer(&self, ty: &Type, document: &Value, wanted: &Wanted, off: &mut Vec<String>) -> Value {
        let paged;
        let document = match document {
            Value::Array(nodes) if self.is_connection(ty) => {
                paged = page(nodes, &wanted.arguments);
                &paged
            }
            other => other,
        };
        match (&ty.base, document) {
            (_, Value::Null) => {
                if !ty.nullable {
                    off.push(format!("{} is null and must not be", wanted.name));
                }
                Value::Null
            }
            (BaseType::List(inner), Value::Array(list)) => {
                list.iter().map(|one| self.answer(inner, one, wanted, off)).collect()
            }
            (BaseType::Named(name), Value::Object(fields)) if self.objects.contains_key(name.as_str()) => {
                let mut answer = Map::new();
                for one in &wanted.fields {
                    let (Some(field), Some(value)) = (self.field(name.as_str(), &one.name), fields.get(&one.name))
                    else {
                        off.push(format!("{name} lacks {}", one.name));
                        continue;
                    };
                    answer.insert(one.key.clone(), self.answer(&field.ty, value, one, off));
                }
                Value::Object(answer)
            }
            (BaseType::Named(name), value) => {
                if !self.is_scalar(name.as_str(), value) {
                    off.push(format!("{} must be {ty}, and is {value}", wanted.name));
                }
                value.clone()
            }
            (BaseType::List(_), value) => {
                off.push(format!("{} must be {ty}, and is {value}", wanted.name));
                Value::Null
            }
        }
    }
}

/// A page of nodes; a cursor is the place after its node.
fn page(nodes: &[Value], arguments: &Map<String, Value>) -> Value {
    let after = arguments.get("after").and_then(Value::as_str);
    let first = arguments.get("first").and_then(Value::as_u64).unwrap_or(UNSAID);
    let start = after.and_then(|cursor| cursor.strip_prefix('c')?.parse::<usize>().ok()).unwrap_or(0);
    let end = start.saturating_add(usize::try_from(first).unwrap_or(usize::MAX)).min(nodes.len());
    let edges: Vec<Value> = (start..end)
        .filter_map(|place| Some(json!({"node": nodes.get(place)?, "cursor": format!("c{}", place + 1)})))
        .collect();
    let cursor = (end > start).then(|| format!("c{end}"));
    json!({"pageInfo": {"hasNextPage": end < nodes.len(), "endCursor": cursor}, "edges": edges})
}
