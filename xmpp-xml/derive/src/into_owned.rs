//! The code that frees a value from what it borrows.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Lifetime, Member, Result, Type};

use crate::in_module;
use crate::items::Items;
use crate::model::{Head, without_self};

pub(crate) fn generate(input: &DeriveInput) -> Result<TokenStream> {
    let head = Head::new(input, &mut Items::of(&input.attrs)?)?;
    let name = &head.ident;
    let owned = match head.lifetime {
        Some(_) => quote!(#name<'static>),
        None => quote!(#name),
    };
    let moved = match &input.data {
        _ if head.lifetime.is_none() => quote!(self),
        Data::Struct(data) => {
            let (pattern, values) = fields(&data.fields, &head);
            quote! {
                let Self #pattern = self;
                #name #values
            }
        }
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let ident = &variant.ident;
                let (pattern, values) = fields(&variant.fields, &head);
                quote!(Self::#ident #pattern => #name::#ident #values,)
            });
            quote!(match self { #(#arms)* })
        }
        Data::Union(_) => return Err(Error::new(name.span(), "write a struct or an enum")),
    };
    let parameters = head.parameters();
    let ty = head.ty();
    Ok(in_module(
        &head,
        &quote! {
            #[automatically_derived]
            impl #parameters __xml::IntoOwned for #ty {
                type Owned = #owned;

                fn into_owned(self) -> #owned {
                    #moved
                }
            }
        },
    ))
}

fn fields(fields: &Fields, head: &Head) -> (TokenStream, TokenStream) {
    let mut pattern = TokenStream::new();
    let mut values = TokenStream::new();
    for (index, field) in fields.iter().enumerate() {
        let member = match &field.ident {
            Some(ident) => Member::from(ident.clone()),
            None => Member::from(index),
        };
        let binding = format_ident!("__f{index}");
        let ty = without_self(&field.ty, head);
        pattern.extend(quote!(#member: #binding,));
        // What borrows nothing is moved, and need not implement the trait.
        values.extend(match &head.lifetime {
            Some(lifetime) if mentions(&ty, lifetime) => {
                quote!(#member: <#ty as __xml::IntoOwned>::into_owned(#binding),)
            }
            _ => quote!(#member: #binding,),
        });
    }
    (quote!({ #pattern }), quote!({ #values }))
}

fn mentions(ty: &Type, lifetime: &Lifetime) -> bool {
    fn within(tokens: TokenStream, lifetime: &Lifetime) -> bool {
        let mut after_quote = false;
        tokens.into_iter().any(|token| {
            let quoted = core::mem::take(&mut after_quote);
            match token {
                TokenTree::Punct(punct) => {
                    after_quote = punct.as_char() == '\'';
                    false
                }
                TokenTree::Ident(ident) => quoted && ident == lifetime.ident,
                TokenTree::Group(group) => within(group.stream(), lifetime),
                TokenTree::Literal(_) => false,
            }
        })
    }
    within(ty.to_token_stream(), lifetime)
}
