//! Times as both databases keep them: UTC, milliseconds, TIMESTAMP columns. Everything that enters the store
//! passes through `Time`, which cuts what is finer than a millisecond (SQLite would keep nanoseconds and
//! PostgreSQL microseconds of the same value).

use chrono::{DateTime, Datelike, NaiveDateTime, SubsecRound, Timelike, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::pg::data_types::PgTimestamp;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Text, Timestamp};
use diesel::sqlite::Sqlite;

/// A moment in UTC, cut to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub struct Time(pub DateTime<Utc>);

impl From<DateTime<Utc>> for Time {
    fn from(at: DateTime<Utc>) -> Self {
        Time(truncate(at))
    }
}

impl From<Time> for DateTime<Utc> {
    fn from(time: Time) -> Self {
        time.0
    }
}

/// Cuts to the millisecond and keeps the year within what both databases' text forms hold.
pub fn truncate(at: DateTime<Utc>) -> DateTime<Utc> {
    if !(1970..=9999).contains(&at.year()) {
        return DateTime::UNIX_EPOCH;
    }
    at.trunc_subsecs(3)
}

/// Seconds between 1970-01-01 and PostgreSQL's own epoch, 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800;

impl ToSql<Timestamp, Pg> for Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = self.0.timestamp_micros() - POSTGRES_EPOCH * 1_000_000;
        ToSql::<Timestamp, Pg>::to_sql(&PgTimestamp(micros), &mut out.reborrow())
    }
}

impl FromSql<Timestamp, Pg> for Time {
    fn from_sql(value: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let PgTimestamp(micros) = FromSql::<Timestamp, Pg>::from_sql(value)?;
        let at = DateTime::from_timestamp_micros(micros.saturating_add(POSTGRES_EPOCH * 1_000_000));
        Ok(Time(at.ok_or("a time out of range")?))
    }
}

/// For the writer's own statements, which go past diesel.
impl tokio_postgres::types::ToSql for Time {
    fn to_sql(
        &self,
        _: &tokio_postgres::types::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(
            &(self.0.timestamp_micros() - POSTGRES_EPOCH * 1_000_000).to_be_bytes(),
        );
        Ok(tokio_postgres::types::IsNull::No)
    }

    tokio_postgres::types::accepts!(TIMESTAMP);
    tokio_postgres::types::to_sql_checked!();
}

impl<'a> tokio_postgres::types::FromSql<'a> for Time {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        let at = DateTime::from_timestamp_micros(micros.saturating_add(POSTGRES_EPOCH * 1_000_000));
        Ok(Time(at.ok_or("a time out of range")?))
    }

    tokio_postgres::types::accepts!(TIMESTAMP);
}

impl ToSql<Timestamp, Sqlite> for Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(text(self.0));
        Ok(IsNull::No)
    }
}

impl FromSql<Timestamp, Sqlite> for Time {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(Time(
            read(&text).ok_or_else(|| format!("not a time: {text}"))?,
        ))
    }
}

/// `2026-11-20 23:06:00.123`: sorts as text as it sorts in time. Written by hand because chrono's formatter
/// was a tenth of the writer's time.
fn text(at: DateTime<Utc>) -> String {
    let mut out = *b"0000-00-00 00:00:00.000";
    let mut put = |at: usize, digits: usize, mut value: u32| {
        for slot in out[at..at + digits].iter_mut().rev() {
            *slot = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(0, 4, at.year().unsigned_abs());
    put(5, 2, at.month());
    put(8, 2, at.day());
    put(11, 2, at.hour());
    put(14, 2, at.minute());
    put(17, 2, at.second());
    put(20, 3, at.nanosecond() / 1_000_000 % 1000);
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads our own form quickly, and what a person's tool may have written (no fraction, a `T`).
fn read(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    if bytes.len() == 23 && bytes[10] == b' ' && bytes[19] == b'.' {
        let number = |from: usize, to: usize| -> Option<u32> {
            bytes[from..to].iter().try_fold(0u32, |sum, b| {
                b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0'))
            })
        };
        let date = chrono::NaiveDate::from_ymd_opt(
            i32::try_from(number(0, 4)?).ok()?,
            number(5, 7)?,
            number(8, 10)?,
        )?;
        return Some(
            date.and_hms_milli_opt(
                number(11, 13)?,
                number(14, 16)?,
                number(17, 19)?,
                number(20, 23)?,
            )?
            .and_utc(),
        );
    }
    ["%F %T%.f", "%FT%T%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), form).ok())
        .map(|at| at.and_utc())
}

/// Wraps an optional time for binding.
pub(crate) fn maybe(at: Option<DateTime<Utc>>) -> Option<Time> {
    at.map(Time::from)
}

/// Unwraps an optional time that was read.
pub(crate) fn plain(at: Option<Time>) -> Option<DateTime<Utc>> {
    at.map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in 0i64..253_402_300_799_999) {
            let at = DateTime::from_timestamp_millis(millis).unwrap();
            prop_assert_eq!(read(&text(at)), Some(at));
            prop_assert_eq!(text(at), at.format("%F %T%.3f").to_string());
        }
    }

    #[test]
    fn finer_than_a_millisecond_is_cut() {
        let at: DateTime<Utc> = "2026-11-20T23:06:00.123987Z".parse().unwrap();
        assert_eq!(
            Time::from(at).0,
            "2026-11-20T23:06:00.123Z".parse::<DateTime<Utc>>().unwrap()
        );
    }
}
