//! Where people reach those who run the server (XEP-0157).

use xmpp_core::form::{Field, FieldType, Form, FormType};

/// What an address is for (XEP-0157 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ContactAddress {
    /// Complaints about users.
    Abuse,
    /// Those who run the server.
    Admin,
    /// What people think of it.
    Feedback,
    /// Contracts.
    Sales,
    /// Security matters.
    Security,
    /// Whether the service is up.
    Status,
    /// Help.
    Support,
}

impl ContactAddress {
    const ALL: [Self; 7] = [
        Self::Abuse,
        Self::Admin,
        Self::Feedback,
        Self::Sales,
        Self::Security,
        Self::Status,
        Self::Support,
    ];

    fn field(self) -> &'static str {
        match self {
            Self::Abuse => "abuse-addresses",
            Self::Admin => "admin-addresses",
            Self::Feedback => "feedback-addresses",
            Self::Sales => "sales-addresses",
            Self::Security => "security-addresses",
            Self::Status => "status-addresses",
            Self::Support => "support-addresses",
        }
    }
}

/// The form that stands in the server's description (XEP-0128); none without addresses.
pub(super) fn form(addresses: &[(ContactAddress, String)]) -> Option<Form<'static>> {
    if addresses.is_empty() {
        return None;
    }
    let kind = "http://jabber.org/network/serverinfo";
    let form = Form::of(FormType::Result).with_field(Field::hidden("FORM_TYPE", kind));
    let form = ContactAddress::ALL.iter().fold(form, |form, purpose| {
        let mut values = addresses
            .iter()
            .filter(|(known, _)| known == purpose)
            .map(|(_, address)| address.clone())
            .peekable();
        if values.peek().is_none() {
            return form;
        }
        let field = Field::new(FieldType::ListMulti, purpose.field());
        form.with_field(values.fold(field, Field::with_value))
    });
    Some(form)
}
