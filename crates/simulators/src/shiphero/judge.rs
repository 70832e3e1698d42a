//! Reads a request as the vendor's server would: parsed by a library that is not ours, judged against the schema, priced.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql_parser::parse_query;
use async_graphql_parser::types::{BaseType, Field, OperationType, Selection, SelectionSet, Type};
use async_graphql_value::Value as Literal;
use serde_json::{Map, Value};

use super::schema::{Schema, UNSAID};

/// What is wanted of a document: one field, with what is wanted of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Its name in the answer.
    pub key: String,
    /// Its name in the schema.
    pub name: String,
    /// With variables filled in.
    pub arguments: Map<String, Value>,
    /// What is wanted of it; empty for a scalar.
    pub fields: Vec<Wanted>,
}

/// A request that passed.
pub(super) struct Request {
    /// Whether it is a mutation.
    pub changes: bool,
    /// The fields at its top, each with its price in credits.
    pub asked: Vec<(Wanted, u64)>,
}

/// Variables of one operation.
struct Variables<'r> {
    types: BTreeMap<String, Type>,
    given: &'r Map<String, Value>,
    used: BTreeSet<String>,
}

impl Schema {
    /// What a request asks for.
    ///
    /// # Errors
    /// The words of the parser or of the judge: nothing was carried out.
    pub(super) fn judge(&self, query: &str, variables: &Map<String, Value>) -> Result<Request, String> {
        let document = parse_query(query).map_err(|error| error.to_string())?;
        let mut operations = document.operations.iter();
        let (Some((_, operation)), None) = (operations.next(), operations.next()) else {
            return Err("a request holds one operation".to_owned());
        };
        if !document.fragments.is_empty() {
            return Err("fragments are not judged here".to_owned());
        }
        let (changes, root) = match operation.node.ty {
            OperationType::Query => (false, "Query"),
            OperationType::Mutation => (true, "Mutation"),
            OperationType::Subscription => return Err("there are no subscriptions".to_owned()),
        };
        let mut types = BTreeMap::new();
        for variable in &operation.node.variable_definitions {
            let (name, ty) = (variable.node.name.node.to_string(), variable.node.var_type.node.clone());
            if !self.is_input(&ty) || variable.node.default_value.is_some() {
                return Err(format!("${name} cannot be {ty}"));
            }
            self.fits(&ty, variables.get(&name).unwrap_or(&Value::Null), &format!("${name}"))?;
            types.insert(name, ty);
        }
        if let Some(unknown) = variables.keys().find(|name| !types.contains_key(*name)) {
            return Err(format!("${unknown} is given and not declared"));
        }
        let mut variables = Variables { types, given: variables, used: BTreeSet::new() };
        let mut asked = Vec::new();
        for wanted in self.selected(root, &operation.node.selection_set.node, &mut variables)? {
            let price = self.price(root, &wanted, 1) + 1;
            asked.push((wanted, price));
        }
        if let Some(unused) = variables.types.keys().find(|name| !variables.used.contains(*name)) {
            return Err(format!("${unused} is declared and not used"));
        }
        Ok(Request { changes, asked })
    }

    fn selected(&self, object: &str, set: &SelectionSet, variables: &mut Variables<'_>) -> Result<Vec<Wanted>, String> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for selection in &set.items {
            let Selection::Field(field) = &selection.node else {
                return Err("fragments are not judged here".to_owned());
            };
            let one = self.wanted(object, &field.node, variables)?;
            if wanted.iter().any(|other| other.key == one.key) {
                return Err(format!("{} is asked for twice", one.key));
            }
            wanted.push(one);
        }
        Ok(wanted)
    }

    fn wanted(&self, object: &str, field: &Field, variables: &mut Variables<'_>) -> Result<Wanted, String> {
        let name = field.name.node.to_string();
        let known = self.field(object, &name).ok_or_else(|| format!("{object} has no field {name}"))?;
        if !field.directives.is_empty() {
            return Err("directives are not judged here".to_owned());
        }
        let mut arguments = Map::new();
        for (argument, value) in &field.arguments {
            let argument = argument.node.to_string();
            let ty = known.arguments.get(&argument).ok_or_else(|| format!("{name} has no argument {argument}"))?;
            let place = format!("{name}({argument})");
            let value = self.literal(ty, &value.node, variables, &place)?;
            self.fits(ty, &value, &place)?;
            arguments.insert(argument, value);
        }
        if let Some((missing, _)) =
            known.arguments.iter().find(|(name, ty)| !ty.nullable && !arguments.contains_key(*name))
        {
            return Err(format!("{name} needs its argument {missing}"));
        }
        let set = &field.selection_set.node;
        let fields = match self.object(&known.ty) {
            Some(_) if set.items.is_empty() => return Err(format!("{name} needs a selection: it is {}", known.ty)),
            Some(inner) => self.selected(inner, set, variables)?,
            None if set.items.is_empty() => Vec::new(),
            None => return Err(format!("{name} has no fields: it is {}", known.ty)),
        };
        let key = field.alias.as_ref().map_or_else(|| name.clone(), |alias| alias.node.to_string());
        Ok(Wanted { key, name, arguments, fields })
    }

    /// A value as it is written, with variables filled in; a variable must be of the type of its place.
    fn literal(&self, ty: &Type, value: &Literal, variables: &mut Variables<'_>, place: &str) -> Result<Value, String> {
        match value {
            Literal::Variable(name) => {
                let declared = variables.types.get(name.as_str()).ok_or_else(|| format!("${name} is not declared"))?;
                if declared.base != ty.base || (declared.nullable && !ty.nullable) {
                    return Err(format!("${name} is {declared}, and {place} wants {ty}"));
                }
                variables.used.insert(name.to_string());
                Ok(variables.given.get(name.as_str()).cloned().unwrap_or(Value::Null))
            }
            Literal::List(list) => {
                let inner = match &ty.base {
                    BaseType::List(inner) => inner.as_ref(),
                    BaseType::Named(_) => return Err(format!("{place} is no list")),
                };
                list.iter().map(|one| self.literal(inner, one, variables, place)).collect()
            }
            Literal::Object(given) => {
                let known = self.input(ty).ok_or_else(|| format!("{place} has no fields"))?;
                let mut object = Map::new();
                for (name, one) in given {
                    let ty = known.get(name.as_str()).ok_or_else(|| format!("{place} has no field {name}"))?;
                    let inner = format!("{place}.{name}");
                    object.insert(name.to_string(), self.literal(ty, one, variables, &inner)?);
                }
                Ok(Value::Object(object))
            }
            other => other.clone().into_json().map_err(|error| format!("{place}: {error}")),
        }
    }

    /// Each connection costs as many times what is inside as may come.
    fn price(&self, object: &str, wanted: &Wanted, times: u64) -> u64 {
        let Some(field) = self.field(object, &wanted.name) else { return 0 };
        let many = match self.is_connection(&field.ty) {
            true => times.saturating_mul(wanted.arguments.get("first").and_then(Value::as_u64).unwrap_or(UNSAID)),
            false => times,
        };
        let own = if self.is_connection(&field.ty) { many } else { 0 };
        let Some(inner) = self.object(&field.ty) else { return own };
        wanted.fields.iter().fold(own, |sum, one| sum.saturating_add(self.price(inner, one, many)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::Schema;

    fn judged(query: &str, variables: &Value) -> Result<Vec<u64>, String> {
        let schema = Schema::read().unwrap();
        let variables: Map<String, Value> = variables.as_object().unwrap().clone();
        schema.judge(query, &variables).map(|request| request.asked.iter().map(|(_, price)| *price).collect())
    }

    #[test]
    fn the_price_is_what_may_come() {
        let none = json!({});
        let listed = |list: &str| format!("{{ orders {{ data{list} {{ edges {{ node {{ id }} }} }} }} }}");
        assert_eq!(judged(&listed("(first: 25)"), &none), Ok(vec![26]));
        assert_eq!(judged(&listed(""), &none), Ok(vec![101]), "what is not said is a hundred");
        let lines =
            "{ orders { data(first: 10) { edges { node { line_items(first: 20) { edges { node { sku } } } } } } } }";
        assert_eq!(judged(lines, &none), Ok(vec![211]));
        assert_eq!(judged("{ user_quota { credits_remaining } }", &none), Ok(vec![1]));
        let both = "query($k: String) { a: orders(order_number: $k) { data(first: 5) { edges { node { id } } } }
                    b: orders(partner_order_id: $k) { data(first: 5) { edges { node { id } } } } }";
        assert_eq!(judged(both, &json!({"k": "K"})), Ok(vec![6, 6]));
    }

    #[test]
    fn what_the_schema_does_not_have_is_refused_in_words() {
        for (query, variables, why) in [
            ("{ orders { request_id nothing } }", json!({}), "OrdersQueryResult has no field nothing"),
            ("{ orders(created_at_min: \"x\") { request_id } }", json!({}), "orders has no argument created_at_min"),
            ("{ orders }", json!({}), "orders needs a selection"),
            ("{ orders { request_id { id } } }", json!({}), "request_id has no fields"),
            ("{ order { request_id } }", json!({}), "order needs its argument id"),
            ("query($i: String) { order(id: $i) { request_id } }", json!({"i": "x"}), "$i is String, and"),
            ("query($i: String!) { order(id: $i) { request_id } }", json!({}), "$i must not be null"),
            ("query($i: String!) { order(id: $i) { request_id } }", json!({"i": 5}), "$i must be String!"),
            ("query($i: Int!) { order(id: $i) { request_id } }", json!({"i": 5}), "$i is Int!, and"),
            ("query($i: String) { orders { request_id } }", json!({}), "$i is declared and not used"),
            ("{ orders { request_id } }", json!({"i": 5}), "$i is given and not declared"),
            ("{ orders(order_number: $n) { request_id } }", json!({}), "$n is not declared"),
            ("{ orders(order_number: 5) { request_id } }", json!({}), "orders(order_number) must be String"),
            ("{ orders { request_id } ", json!({}), "expected"),
            ("subscription { orders { request_id } }", json!({}), "no subscriptions"),
            (
                "mutation($d: CreateOrderInput!) { order_create(data: $d) { request_id } }",
                json!({"d": {"shipping_address": {}, "line_items": [{"sku": "A", "quantity": 1, "price": 10,
                    "partner_line_item_id": "1"}]}}),
                "$d.line_items.price must be String!",
            ),
            (
                "mutation($d: CreateOrderInput!) { order_create(data: $d) { request_id } }",
                json!({"d": {"shipping_address": {}, "line_items": [], "gift": true}}),
                "$d.gift is not a field",
            ),
        ] {
            let told = judged(query, &variables).expect_err(query);
            assert!(told.contains(why), "{query}: {told}");
        }
    }
}
