//! Passwords: hashed with argon2id, made, checked. Slow on purpose: call it from a blocking thread.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use rand::distr::{Alphanumeric, SampleString};

/// The least a person may choose.
pub const SHORTEST: usize = 10;

/// The PHC string for `users.password_hash`.
pub fn hash(password: &str) -> anyhow::Result<String> {
    match Argon2::default().hash_password(password.as_bytes()) {
        Ok(hash) => Ok(hash.to_string()),
        Err(error) => anyhow::bail!("the password cannot be hashed: {error}"),
    }
}

/// Whether the password is the one that was hashed. `None` (no such user) takes as long and is never right, so that
/// the time of the answer does not tell which names exist.
pub fn verify(password: &str, hashed: Option<&str>) -> bool {
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWRWJTmaaJObGj8AJGqzZbZU";
    let (text, known) = hashed.map_or((NOBODY, false), |text| (text, true));
    let right = PasswordHash::new(text).is_ok_and(|parsed| {
        Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok()
    });
    right && known
}

/// A password that is told once.
pub fn invent() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_passes() {
        let hashed = hash("correct horse").expect("a hash");
        assert!(hashed.starts_with("$argon2id$"));
        assert!(verify("correct horse", Some(&hashed)));
        assert!(!verify("correct horse ", Some(&hashed)));
        assert!(!verify("correct horse", None));
        assert!(!verify("x", Some("not a hash")));
        assert_ne!(invent(), invent());
    }
}
