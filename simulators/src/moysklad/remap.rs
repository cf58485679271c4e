//! The JSON API 1.2 as far as telephony asks it: clients by number, their contact persons, employees, a new client. Phones
//! are free text there, and neither `search` nor `filter` understands them. Called by the entry.

use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::phone::meta;
use super::state::{Book, Counterparty, counterparty};

/// Rows with which `expand` still works; with more it is silently left out.
const EXPANDS: usize = 100;

/// `GET /entity/counterparty`
pub(crate) fn counterparties(book: &Book, query: &[(String, String)], base: &str) -> Answer {
    let conditions = match value(query, "filter") {
        None => Vec::new(),
        Some(filter) => filter
            .split(';')
            .map(condition)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Refuse::told(400, 1034, "Ошибка в параметре filter"))?,
    };
    let search = value(query, "search").map(str::to_lowercase);
    let (limit, _) = bounds(query)?;
    let expand = limit <= EXPANDS && value(query, "expand") == Some("owner");
    let rows = book
        .counterparties
        .iter()
        .filter(|one| search.as_ref().is_none_or(|text| is_found(one, text)))
        .filter(|one| {
            conditions
                .iter()
                .all(|(mark, text)| mark.holds(&one.phone, text))
        })
        .map(|one| shown(one, book, base, expand))
        .collect();
    list("counterparty", rows, query, base)
}

/// `GET /entity/counterparty/{id}/contactpersons`
pub(crate) fn persons(book: &Book, id: &str, query: &[(String, String)], base: &str) -> Answer {
    let client = book.counterparties.iter().find(|one| one.id == id);
    let client = client.ok_or_else(|| Refuse::unknown("counterparty"))?;
    let rows = client
        .persons
        .iter()
        .map(|one| {
            json!({"name": one.name, "phone": one.phone, "email": "", "position": "", "agent": {"meta": meta(base, "counterparty", id)}})
        })
        .collect();
    list("contactperson", rows, query, base)
}

/// `GET /entity/employee`
pub(crate) fn employees(book: &Book, query: &[(String, String)], base: &str) -> Answer {
    let rows = book
        .employees
        .iter()
        .map(|one| {
            json!({"id": one.id, "uid": one.uid, "name": one.name, "shortFio": one.name, "archived": false,
                "meta": meta(base, "employee", &one.id)})
        })
        .collect();
    list("employee", rows, query, base)
}

/// `GET /context/employee`
pub(crate) fn myself(book: &Book, base: &str) -> Answer {
    let one = book.employees.first();
    let one = one.ok_or_else(|| Refuse::unknown("employee"))?;
    Ok((
        200,
        json!({"id": one.id, "uid": one.uid, "name": one.name, "fullName": one.name, "meta": meta(base, "employee", &one.id)}),
    ))
}

/// `POST /entity/counterparty`
pub(crate) fn add(book: &mut Book, body: &Value, base: &str) -> Answer {
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(Refuse::mistyped(name)),
    };
    let (name, phone) = (text("name")?, text("phone")?);
    if name.is_empty() {
        return Err(Refuse::missing("name"));
    }
    let owner = match body.get("owner") {
        None => book.employees.first().map(|one| one.id.clone()),
        Some(owner) => {
            let href = owner.pointer("/meta/href").and_then(Value::as_str);
            let id = href.and_then(|href| href.rsplit('/').next());
            let known = book
                .employees
                .iter()
                .find(|one| Some(one.id.as_str()) == id);
            let known = known.ok_or_else(|| Refuse::mistyped("owner"))?;
            Some(known.id.clone())
        }
    };
    let id = book.id();
    let client = counterparty(&id, name, phone, &owner.unwrap_or_default());
    let told = shown(&client, book, base, false);
    book.counterparties.push(client);
    Ok((200, told))
}

fn shown(one: &Counterparty, book: &Book, base: &str, expand: bool) -> Value {
    let mut owner = json!({"meta": meta(base, "employee", &one.owner)});
    if expand && let Some(known) = book.employees.iter().find(|it| it.id == one.owner) {
        owner["id"] = json!(known.id);
        owner["name"] = json!(known.name);
    }
    let mut own = meta(base, "counterparty", &one.id);
    own["uuidHref"] = json!(format!(
        "https://online.moysklad.ru/app/#company/edit?id={}",
        one.id
    ));
    let persons = json!({"meta": {"href": format!("{base}/api/remap/1.2/entity/counterparty/{}/contactpersons", one.id),
        "type": "contactperson", "mediaType": "application/json", "size": one.persons.len(), "limit": 1000, "offset": 0}});
    let mut told = json!({"id": one.id, "name": one.name, "companyType": "legal", "archived": false, "tags": [],
        "owner": owner, "meta": own, "contactpersons": persons});
    // What is empty is left out.
    for (name, text) in [("phone", &one.phone), ("email", &one.email)] {
        if !text.is_empty() {
            told[name] = json!(text);
        }
    }
    told
}

fn is_found(one: &Counterparty, text: &str) -> bool {
    let persons = one.persons.iter().flat_map(|it| [&it.name, &it.phone]);
    [&one.name, &one.phone, &one.email]
        .into_iter()
        .chain(persons)
        .any(|own| own.to_lowercase().contains(text))
}

/// How a condition compares.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Contains,
    Begins,
    Ends,
    Is,
}

impl Mark {
    fn holds(self, own: &str, text: &str) -> bool {
        match self {
            Self::Contains => own.contains(text),
            Self::Begins => own.starts_with(text),
            Self::Ends => own.ends_with(text),
            Self::Is => own == text,
        }
    }
}

/// Only of phones: nothing else is asked for here.
fn condition(text: &str) -> Option<(Mark, String)> {
    let rest = text.strip_prefix("phone")?;
    [
        ("~=", Mark::Begins),
        ("=~", Mark::Ends),
        ("~", Mark::Contains),
        ("=", Mark::Is),
    ]
    .into_iter()
    .find_map(|(sign, mark)| Some((mark, rest.strip_prefix(sign)?.to_owned())))
}

fn bounds(query: &[(String, String)]) -> Result<(usize, usize), Refuse> {
    let number = |name: &str, default: usize| match value(query, name) {
        None => Ok(default),
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| Refuse::told(400, 1040, format!("Неправильный параметр {name}"))),
    };
    let (limit, offset) = (number("limit", 1000)?, number("offset", 0)?);
    if !(1..=1000).contains(&limit) {
        return Err(Refuse::told(400, 1040, "limit от 1 до 1000"));
    }
    Ok((limit, offset))
}

fn list(kind: &str, rows: Vec<Value>, query: &[(String, String)], base: &str) -> Answer {
    let (limit, offset) = bounds(query)?;
    let size = rows.len();
    let rows: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    Ok((
        200,
        json!({
            "context": {"employee": {"meta": {"href": format!("{base}/api/remap/1.2/context/employee"), "type": "employee",
                "mediaType": "application/json"}}},
            "meta": {"href": format!("{base}/api/remap/1.2/entity/{kind}"), "type": kind, "mediaType": "application/json",
                "size": size, "limit": limit, "offset": offset},
            "rows": rows,
        }),
    ))
}

pub(crate) fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
