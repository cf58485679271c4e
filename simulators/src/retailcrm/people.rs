//! Users, clients, the responsible manager, and what a key may do. Called by the entry; only `set_status` changes
//! anything.

use serde_json::{Value, json};

use super::account::{Customer, User};
use super::answer::{Answer, CHOICE, Faults, Refuse};
use super::book::{Book, digits};
use super::entry::Asked;
use crate::form::Fields;

const STATUSES: [&str; 4] = ["free", "busy", "dinner", "break"];

/// Which right each group of endpoints needs. The names of the telephony scopes are a guess.
const SCOPES: [(&str, &str); 7] = [
    ("integration_read", "integration-modules/get"),
    ("integration_write", "integration-modules/edit"),
    ("telephony_read", "telephony/manager"),
    ("telephony_write", "telephony/call"),
    ("user_read", "users"),
    ("user_write", "users/status"),
    ("customer_read", "customers"),
];

pub(crate) fn versions() -> Answer {
    Ok((
        200,
        json!({"success": true, "versions": ["3.0", "4.0", "5.0"]}),
    ))
}

pub(crate) fn system_info() -> Answer {
    Ok((
        200,
        json!({"success": true, "systemVersion": "9.0.0", "publicUrl": "", "technicalUrl": ""}),
    ))
}

pub(crate) fn credentials(book: &Book, key: &str) -> Answer {
    let denied = book
        .keys
        .iter()
        .find(|known| known.key == key)
        .map(|known| known.denied.as_slice());
    let allowed = |endpoint: &str| {
        !denied
            .unwrap_or_default()
            .iter()
            .any(|start| endpoint.starts_with(start.as_str()))
    };
    let scopes: Vec<&str> = SCOPES
        .iter()
        .filter(|(_, endpoint)| allowed(endpoint))
        .map(|(scope, _)| *scope)
        .collect();
    let paths = [
        ("integration-modules/get", "/api/integration-modules/{code}"),
        (
            "integration-modules/edit",
            "/api/integration-modules/{code}/edit",
        ),
        ("telephony/call/event", "/api/telephony/call/event"),
        ("telephony/calls/upload", "/api/telephony/calls/upload"),
        ("telephony/manager", "/api/telephony/manager"),
        ("users", "/api/users"),
        ("customers", "/api/customers"),
    ];
    let credentials: Vec<&str> = paths
        .iter()
        .filter(|(endpoint, _)| allowed(endpoint))
        .map(|(_, path)| *path)
        .collect();
    Ok((
        200,
        json!({"success": true, "scopes": scopes, "credentials": credentials, "siteAccess": "access_full"}),
    ))
}

/// The wanted page of a list, and the `pagination` member.
fn page<T>(all: Vec<T>, query: &Fields, limits: &[usize]) -> Result<(Vec<T>, Value), Refuse> {
    let limit = match query.get("limit") {
        None => 20,
        Some(text) => match text.parse::<usize>() {
            Ok(limit) if limits.contains(&limit) => limit,
            _ => return Err(Refuse::input(json!({"limit": CHOICE}))),
        },
    };
    let number = match query.get("page") {
        None => 1,
        Some(text) => match text.parse::<usize>() {
            Ok(number) if number >= 1 => number,
            _ => {
                return Err(Refuse::input(
                    json!({"page": "This value should be 1 or more."}),
                ));
            }
        },
    };
    let total = all.len();
    let pagination = json!({
        "limit": limit, "totalCount": total, "currentPage": number, "totalPageCount": total.div_ceil(limit),
    });
    let wanted = all
        .into_iter()
        .skip((number - 1).saturating_mul(limit))
        .take(limit)
        .collect();
    Ok((wanted, pagination))
}

/// Refuses `filter[…]` names outside the list.
fn known_filters(query: &Fields, known: &[&str]) -> Result<(), Refuse> {
    for (name, _) in query.iter() {
        let Some(inner) = name
            .strip_prefix("filter[")
            .and_then(|rest| rest.split(']').next())
        else {
            continue;
        };
        if !known.contains(&inner) {
            return Err(Refuse::input(json!([format!(
                "filter[{inner}]: This form should not contain extra fields."
            )])));
        }
    }
    Ok(())
}

fn flag(query: &Fields, name: &str) -> Result<Option<bool>, Refuse> {
    match query.get(name) {
        None | Some("") => Ok(None),
        Some("1") => Ok(Some(true)),
        Some("0") => Ok(Some(false)),
        Some(_) => Err(Refuse::input(json!({name: CHOICE}))),
    }
}

pub(crate) fn users(book: &Book, asked: &Asked<'_>) -> Answer {
    let query = asked.query;
    let known = [
        "active",
        "isManager",
        "isAdmin",
        "isPosManager",
        "status",
        "online",
        "email",
        "groups",
        "createdAtFrom",
        "createdAtTo",
    ];
    known_filters(query, &known)?;
    let (active, manager) = (
        flag(query, "filter[active]")?,
        flag(query, "filter[isManager]")?,
    );
    let admin = flag(query, "filter[isAdmin]")?;
    let (email, status) = (query.get("filter[email]"), query.get("filter[status]"));
    let wanted = |user: &&User| {
        active.is_none_or(|active| active == user.active)
            && manager.is_none_or(|manager| manager)
            && admin.is_none_or(|admin| !admin)
            && email.is_none_or(|email| email == user.email)
            && status.is_none_or(|status| status == user.status)
    };
    let (users, pagination) = page(
        book.users.values().filter(wanted).collect(),
        query,
        &[20, 50, 100],
    )?;
    let users: Vec<Value> = users.into_iter().map(user_json).collect();
    Ok((
        200,
        json!({"success": true, "pagination": pagination, "users": users}),
    ))
}

/// The CRM gives no extension here; codes live in the module.
fn user_json(user: &User) -> Value {
    json!({
        "id": user.id, "createdAt": "2026-01-01 09:00:00", "active": user.active, "email": user.email,
        "firstName": user.first_name, "lastName": user.last_name, "status": user.status, "online": user.active,
        "isAdmin": false, "isManager": true, "groups": [],
    })
}

fn find_user<'a>(book: &'a Book, id: &str) -> Result<&'a User, Refuse> {
    let id: Option<i64> = id.parse().ok();
    id.and_then(|id| book.users.get(&id))
        .ok_or_else(|| Refuse::new(404, "Not found"))
}

pub(crate) fn user(book: &Book, id: &str) -> Answer {
    Ok((
        200,
        json!({"success": true, "user": user_json(find_user(book, id)?)}),
    ))
}

pub(crate) fn set_status(book: &mut Book, id: &str, asked: &Asked<'_>) -> Answer {
    let id = find_user(book, id)?.id;
    let status = asked
        .body
        .get("status")
        .ok_or_else(|| Refuse::missing("status"))?;
    let mut faults = Faults::default();
    if !STATUSES.contains(&status) {
        faults.add("status", CHOICE);
    }
    faults.finish()?;
    if let Some(user) = book.users.get_mut(&id) {
        status.clone_into(&mut user.status);
    }
    Ok((200, json!({"success": true})))
}

pub(crate) fn customers(book: &Book, asked: &Asked<'_>) -> Answer {
    let query = asked.query;
    let name = query
        .get("filter[name]")
        .or_else(|| query.get("filter[phone]"));
    let mut found: Vec<&Customer> = Vec::new();
    match name.map(str::trim).filter(|name| !name.is_empty()) {
        None => found.extend(book.customers.values()),
        Some(name) => {
            let wanted = digits(name);
            let is_phone = !wanted.is_empty() && !name.contains(char::is_alphabetic);
            let lower = name.to_lowercase();
            found.extend(book.customers.values().filter(|customer| {
                if is_phone {
                    customer
                        .phones
                        .iter()
                        .any(|phone| digits(phone).contains(&wanted))
                } else {
                    customer.full_name().to_lowercase().contains(&lower)
                }
            }));
        }
    }
    let (found, pagination) = page(found, query, &[20, 50, 100])?;
    let customers: Vec<Value> = found.into_iter().map(customer_json).collect();
    Ok((
        200,
        json!({"success": true, "pagination": pagination, "customers": customers}),
    ))
}

fn phones(customer: &Customer) -> Value {
    customer
        .phones
        .iter()
        .map(|phone| json!({"number": phone}))
        .collect()
}

fn customer_json(customer: &Customer) -> Value {
    let mut body = json!({
        "type": "customer", "id": customer.id, "isContact": false, "createdAt": "2026-01-01 09:00:00", "vip": false,
        "bad": false, "site": "main-shop", "contragent": {"contragentType": "individual"},
        "firstName": customer.first_name, "lastName": customer.last_name, "phones": phones(customer),
        "customFields": [],
    });
    if let Some(manager) = customer.manager_id {
        body["managerId"] = json!(manager);
    }
    body
}

pub(crate) fn manager(book: &Book, asked: &Asked<'_>) -> Answer {
    let query = asked.query;
    let Some(phone) = query
        .get("phone")
        .map(str::trim)
        .filter(|phone| !phone.is_empty())
    else {
        return Err(Refuse::missing("phone"));
    };
    let details = flag(query, "details")?.unwrap_or(false);
    let any_status = flag(query, "ignoreStatus")?.unwrap_or(false);
    let mut answer = json!({"success": true});
    let customer = book.customer_by_phone(phone);
    let manager = customer.and_then(|customer| book.users.get(&customer.manager_id?));
    if let Some(manager) =
        manager.filter(|manager| manager.active && (any_status || manager.status == "free"))
    {
        answer["manager"] = json!({
            "id": manager.id, "firstName": manager.first_name, "lastName": manager.last_name, "email": manager.email,
        });
        if let Some((code, _)) = book.codes.iter().find(|(_, user)| **user == manager.id) {
            answer["manager"]["code"] = json!(code);
        }
    }
    if details {
        if let Some(customer) = customer {
            answer["customer"] = json!({
                "id": customer.id, "firstName": customer.first_name, "lastName": customer.last_name,
                "phones": phones(customer),
            });
        }
        let phone = digits(phone);
        answer["links"] = json!({
            "newOrderLink": format!("https://shop.example/orders/add?phone={phone}"),
            "newCustomerLink": format!("https://shop.example/customers/add?phone={phone}"),
        });
    }
    Ok((200, answer))
}
