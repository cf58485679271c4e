//! Who may open what: one function over roles and areas, pure. Asked by `web::gate` for every route of the table;
//! what belongs to whom (rows) is a matter of `Scope`, which every query is given.

use serde::{Deserialize, Serialize};

/// What a person is, from `users.role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Superadmin,
    Admin,
    Supervisor,
    Operator,
    /// Came from the CRM by its account link: one enterprise's RetailCRM page, nothing else. Nobody in `users` is one.
    Guest,
}

impl Role {
    /// What a person in `users` can be.
    pub const ALL: [Role; 4] = [
        Role::Superadmin,
        Role::Admin,
        Role::Supervisor,
        Role::Operator,
    ];

    /// The word in the `users` table (but for guests) and in the locale files.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Superadmin => "superadmin",
            Role::Admin => "admin",
            Role::Supervisor => "supervisor",
            Role::Operator => "operator",
            Role::Guest => "guest",
        }
    }

    /// Reads the word; anything else is `None`.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// What kind of place a route is; each line of the route table names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// Asterisk hosts; they show their enterprise's token in the handler itself. Nothing is wrapped around these.
    Hosts,
    /// Whoever shows an enterprise's own secret in the request: clicks in CRMs. The handler looks at it.
    Keyed,
    /// Open to anyone who reaches us: health.
    Open,
    /// Pages before login.
    Public,
    /// Machine surfaces: loopback or an API key, or a superadmin's session.
    Machine,
    /// Whoever is logged in: logout, language, the way home.
    Account,
    /// The calls of one's enterprise as they go on.
    Live,
    /// The journal and one call's page; an operator sees own calls.
    Calls,
    /// One's enterprise: integrations, people, lines, emulator.
    Admin,
    /// One's enterprise's RetailCRM module: its administrators, and whoever came from its CRM.
    Module,
    /// The whole installation.
    System,
}

impl Area {
    pub const ALL: [Area; 11] = [
        Area::Hosts,
        Area::Keyed,
        Area::Open,
        Area::Public,
        Area::Machine,
        Area::Account,
        Area::Live,
        Area::Calls,
        Area::Admin,
        Area::Module,
        Area::System,
    ];

    /// Whether a session decides about this area at all.
    pub fn needs_session(self) -> bool {
        !matches!(self, Area::Hosts | Area::Keyed | Area::Open | Area::Public)
    }
}

/// Whether somebody of this role (nobody: `None`) may open a route of this area.
pub fn allows(role: Option<Role>, area: Area) -> bool {
    use Role::{Admin, Guest, Operator, Superadmin, Supervisor};
    match (area, role) {
        (Area::Hosts | Area::Keyed | Area::Open | Area::Public, _) => true,
        (_, None) => false,
        (_, Some(Superadmin)) => true,
        (Area::Account | Area::Calls, Some(Admin | Supervisor | Operator)) => true,
        (Area::Live, Some(Admin | Supervisor)) => true,
        (Area::Admin, Some(Admin)) => true,
        (Area::Module, Some(Admin | Guest)) => true,
        (
            Area::Live | Area::Admin | Area::Module | Area::Machine | Area::System,
            Some(Admin | Supervisor | Operator),
        ) => false,
        (_, Some(Guest)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole policy as a table that a person can check against the document.
    #[test]
    fn the_table_of_roles_and_areas() {
        let mut table =
            String::from("area      nobody superadmin admin supervisor operator guest\n");
        for area in Area::ALL {
            table.push_str(&format!("{:<9}", format!("{area:?}")));
            for (role, width) in [
                (None, 7),
                (Some(Role::Superadmin), 11),
                (Some(Role::Admin), 6),
                (Some(Role::Supervisor), 11),
                (Some(Role::Operator), 9),
                (Some(Role::Guest), 6),
            ] {
                let mark = if allows(role, area) { "yes" } else { "-" };
                table.push_str(&format!("{mark:>width$}"));
            }
            table.push('\n');
        }
        insta::assert_snapshot!(table);
    }
}
