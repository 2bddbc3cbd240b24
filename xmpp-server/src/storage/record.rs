//! Accounts and contacts as bytes.
//!
//! A record is a row of fields without names: a byte of flags, and texts with their length (32 bits,
//! little-endian) before them. What the fields are is told by the schema version of the store.

use super::{Account, Contact, StoreError};
use crate::subscription::Relation;

const TO: u8 = 1;
const FROM: u8 = 1 << 1;
const PENDING_OUT: u8 = 1 << 2;
const PENDING_IN: u8 = 1 << 3;
const APPROVED: u8 = 1 << 4;
const LISTED: u8 = 1 << 5;
const NAMED: u8 = 1 << 6;
const REQUESTED: u8 = 1 << 7;

pub(super) fn write_account(account: &Account) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_texts(&mut bytes, &account.credentials);
    bytes
}

pub(super) fn read_account(address: &str, bytes: &[u8]) -> Result<Account, StoreError> {
    let mut fields = Fields {
        bytes,
        record: address,
    };
    let credentials = fields.texts()?;
    fields.end()?;
    Ok(Account {
        address: address.to_owned(),
        credentials,
    })
}

pub(super) fn write_contact(contact: &Contact) -> Vec<u8> {
    let relation = contact.relation;
    let flags = [
        (relation.to, TO),
        (relation.from, FROM),
        (relation.pending_out, PENDING_OUT),
        (relation.pending_in, PENDING_IN),
        (relation.approved, APPROVED),
        (contact.listed, LISTED),
        (contact.name.is_some(), NAMED),
        (contact.request.is_some(), REQUESTED),
    ];
    let flags = flags
        .iter()
        .filter(|(set, _)| *set)
        .fold(0, |sum, (_, flag)| sum | flag);

    let mut bytes = vec![flags];
    if let Some(name) = &contact.name {
        write_text(&mut bytes, name);
    }
    write_texts(&mut bytes, &contact.groups);
    if let Some(request) = &contact.request {
        write_text(&mut bytes, request);
    }
    bytes
}

pub(super) fn read_contact(address: &str, bytes: &[u8]) -> Result<Contact, StoreError> {
    let mut fields = Fields {
        bytes,
        record: address,
    };
    let flags = fields.byte()?;
    let is = |flag: u8| flags & flag != 0;
    let contact = Contact {
        address: address.to_owned(),
        name: is(NAMED).then(|| fields.text()).transpose()?,
        groups: fields.texts()?,
        relation: Relation {
            to: is(TO),
            from: is(FROM),
            pending_out: is(PENDING_OUT),
            pending_in: is(PENDING_IN),
            approved: is(APPROVED),
        },
        listed: is(LISTED),
        request: is(REQUESTED).then(|| fields.text()).transpose()?,
    };
    fields.end()?;
    Ok(contact)
}

fn write_texts(bytes: &mut Vec<u8>, texts: &[String]) {
    write_length(bytes, texts.len());
    texts.iter().for_each(|text| write_text(bytes, text));
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn write_length(bytes: &mut Vec<u8>, length: usize) {
    // A text of 4 GiB cannot come in: stanzas are far smaller. One that did would be unreadable, not wrong.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
}

struct Fields<'a> {
    bytes: &'a [u8],
    record: &'a str,
}

impl<'a> Fields<'a> {
    fn byte(&mut self) -> Result<u8, StoreError> {
        match self.bytes.split_first() {
            Some((byte, rest)) => {
                self.bytes = rest;
                Ok(*byte)
            }
            None => Err(self.damaged("it ends too early")),
        }
    }

    fn length(&mut self) -> Result<usize, StoreError> {
        match self.bytes.split_first_chunk() {
            Some((length, rest)) => {
                self.bytes = rest;
                Ok(usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX))
            }
            None => Err(self.damaged("it ends too early")),
        }
    }

    fn text(&mut self) -> Result<String, StoreError> {
        let length = self.length()?;
        let (text, rest): (&'a [u8], _) = self
            .bytes
            .split_at_checked(length)
            .ok_or_else(|| self.damaged("it ends too early"))?;
        self.bytes = rest;
        match std::str::from_utf8(text) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.damaged("a text is not UTF-8")),
        }
    }

    fn texts(&mut self) -> Result<Vec<String>, StoreError> {
        // No capacity from the count: a damaged one could ask for any amount of memory.
        (0..self.length()?).map(|_| self.text()).collect()
    }

    fn end(self) -> Result<(), StoreError> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(self.damaged("it is too long"))
        }
    }

    fn damaged(&self, how: &str) -> StoreError {
        StoreError::Damaged(format!("the record of {}: {how}", self.record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact() -> Contact {
        Contact {
            address: "romeo@example.net".into(),
            name: Some("Romeo".into()),
            groups: vec!["Friends".into(), "Ωμέγα".into()],
            relation: Relation {
                from: true,
                pending_out: true,
                ..Relation::default()
            },
            listed: true,
            request: Some("<presence type='subscribe'/>".into()),
        }
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        for contact in [contact(), Contact::new("a@b"), Contact::new("a@b").name("")] {
            assert_eq!(
                read_contact(&contact.address, &write_contact(&contact)).unwrap(),
                contact
            );
        }
        let account = Account::new("juliet@example.com", vec!["one".into(), String::new()]);
        assert_eq!(
            read_account(&account.address, &write_account(&account)).unwrap(),
            account
        );
    }

    #[test]
    fn a_cut_or_lengthened_record_is_reported_as_damaged() {
        let bytes = write_contact(&contact());
        for length in 0..bytes.len() {
            let error = read_contact("romeo@example.net", &bytes[..length]).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{length}: {error}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        assert!(read_contact("romeo@example.net", &longer).is_err());
    }
}
