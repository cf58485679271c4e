//! The parameters of a request as PHP reads them: `a[b][]=c` of a query or a form becomes a tree, JSON is one already, and
//! the body's win over the query's. Called by the entry and for each command of a batch; judges nothing.

use serde_json::{Map, Value};

/// Query, form or the query part of a batch's command.
pub(crate) fn read(text: &str) -> Value {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(text).unwrap_or_default();
    let mut tree = Map::new();
    for (name, value) in pairs {
        let (first, rest) = split(&name);
        put(&mut tree, first, &rest, value);
    }
    Value::Object(
        tree.into_iter()
            .map(|(name, it)| (name, listed(it)))
            .collect(),
    )
}

/// `a[b][]` → `a`, [`b`, ``].
fn split(name: &str) -> (&str, Vec<&str>) {
    let Some((first, rest)) = name.split_once('[') else {
        return (name, Vec::new());
    };
    let rest = rest.strip_suffix(']').unwrap_or(rest);
    (first, rest.split("][").collect())
}

fn put(tree: &mut Map<String, Value>, name: &str, rest: &[&str], value: String) {
    let name = if name.is_empty() {
        tree.len().to_string()
    } else {
        name.to_owned()
    };
    match rest.split_first() {
        None => {
            tree.insert(name, Value::String(value));
        }
        Some((next, rest)) => {
            let below = tree
                .entry(name)
                .or_insert_with(|| Value::Object(Map::new()));
            if !below.is_object() {
                *below = Value::Object(Map::new());
            }
            if let Some(below) = below.as_object_mut() {
                put(below, next, rest, value);
            }
        }
    }
}

/// A map with the keys 0, 1, 2 … is a list.
fn listed(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: Map<String, Value> = map
                .into_iter()
                .map(|(name, it)| (name, listed(it)))
                .collect();
            let is_list =
                !map.is_empty() && (0..map.len()).all(|at| map.contains_key(&at.to_string()));
            if is_list {
                let count = map.len();
                let at = |at: usize| map.get(&at.to_string()).cloned().unwrap_or_default();
                Value::Array((0..count).map(at).collect())
            } else {
                Value::Object(map)
            }
        }
        other => other,
    }
}

/// Adds the members of `more`, which win.
pub(crate) fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

/// A whole number, however it was written.
pub(crate) fn int(params: &Value, name: &str) -> Option<i64> {
    number(params.get(name)?)
}

/// The same of a value.
pub(crate) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// One whole number or a list of them.
pub(crate) fn ints(params: &Value, name: &str) -> Vec<i64> {
    match params.get(name) {
        Some(Value::Array(list)) => list.iter().filter_map(number).collect(),
        Some(one) => number(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A text; a number is one too. Empty when it is not there.
pub(crate) fn text(params: &Value, name: &str) -> String {
    match params.get(name) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}
