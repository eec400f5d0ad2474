//! Requests made from the API's own descriptors: every method there is, with every field filled, spoilt or left out.

use chancery_api::DESCRIPTORS;
use chancery_client::{Client, Code};
use prost::{
    Message,
    bytes::{Buf, BufMut, Bytes},
    encoding::{WireType, encode_key, encode_varint},
};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};

/// A method and the message that it takes.
pub(crate) struct Method {
    /// `/chancery.v1.SigningService/Sign`
    pub(crate) path: String,
    request: DescriptorProto,
}

/// What came back: code, message, details, or the answer's bytes.
pub(crate) type Seen = (Code, Vec<u8>, Vec<u8>);

/// Calls a method.
pub(crate) async fn ask(client: &Client, method: &Method, request: Vec<u8>) -> Seen {
    let mut grpc = Grpc::new(client.transport());
    grpc.ready().await.unwrap();
    let path: PathAndQuery = method.path.parse().unwrap();
    match grpc.unary(Request::new(request), path, Raw).await {
        Ok(answer) => (Code::Ok, Vec::new(), answer.into_inner().to_vec()),
        Err(status) => (status.code(), status.message().as_bytes().to_vec(), status.details().to_vec()),
    }
}

/// The API: its methods, and its messages by full name.
pub(crate) struct Api {
    pub(crate) methods: Vec<Method>,
    messages: BTreeMap<String, DescriptorProto>,
}

/// One way to spoil a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoilt {
    Absent,
    Empty,
    Garbage,
}

/// Where a request has one: anybody's.
static CERTIFICATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "peer0");
    parameters.self_signed(&key).unwrap().der().to_vec()
});

pub(crate) const SPOILT: [Spoilt; 3] = [Spoilt::Absent, Spoilt::Empty, Spoilt::Garbage];

impl Api {
    pub(crate) fn read() -> Self {
        let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
        let mut messages = BTreeMap::new();
        for file in &files {
            for message in &file.message_type {
                let name = format!(".{}.{}", file.package(), message.name());
                for nested in &message.nested_type {
                    messages.insert(format!("{name}.{}", nested.name()), nested.clone());
                }
                messages.insert(name, message.clone());
            }
        }
        let own = files.iter().filter(|file| file.package() == "chancery.v1");
        let methods = own.flat_map(|file| &file.service).flat_map(|service| {
            service.method.iter().map(|method| Method {
                path: format!("/chancery.v1.{}/{}", service.name(), method.name()),
                request: messages[method.input_type()].clone(),
            })
        });
        Self { methods: methods.collect(), messages }
    }

    /// The types of what a method's requests can hold, at any depth.
    pub(crate) fn types_of(&self, method: &Method) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![&method.request];
        while let Some(message) = open.pop() {
            let fields = message.field.iter().filter(|field| field.r#type() == Type::Message);
            for name in fields.map(FieldDescriptorProto::type_name) {
                if found.insert(name.to_owned()) {
                    open.push(&self.messages[name]);
                }
            }
        }
        found
    }

    /// A request with all its fields; those that name something name `target`. One field may be spoilt.
    pub(crate) fn request(&self, method: &Method, target: &str, spoil: Option<(usize, Spoilt)>) -> Vec<u8> {
        self.message(&method.request, target, spoil)
    }

    fn message(&self, message: &DescriptorProto, target: &str, spoil: Option<(usize, Spoilt)>) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Of a oneof, the first.
        let mut chosen = Vec::new();
        for (at, field) in message.field.iter().enumerate() {
            if let Some(of) = field.oneof_index.filter(|_| !field.proto3_optional()) {
                if chosen.contains(&of) {
                    continue;
                }
                chosen.push(of);
            }
            match spoil.filter(|(spoilt, _)| *spoilt == at) {
                None => self.field(field, target, &mut bytes),
                Some((_, Spoilt::Absent)) => {}
                Some((_, how)) => spoilt(field, how, &mut bytes),
            }
        }
        bytes
    }

    fn field(&self, field: &FieldDescriptorProto, target: &str, bytes: &mut Vec<u8>) {
        let number = u32::try_from(field.number()).unwrap();
        let text = |value: &[u8], bytes: &mut Vec<u8>| {
            encode_key(number, WireType::LengthDelimited, bytes);
            encode_varint(value.len() as u64, bytes);
            bytes.put_slice(value);
        };
        match field.r#type() {
            Type::String => text(string(field.name(), target).as_bytes(), bytes),
            Type::Bytes if field.name() == "certificate" => text(&CERTIFICATE, bytes),
            Type::Bytes => text(&[7; 32], bytes),
            Type::Fixed32 => {
                encode_key(number, WireType::ThirtyTwoBit, bytes);
                bytes.put_u32_le(1);
            }
            Type::Message => {
                let message = &self.messages[field.type_name()];
                let map = message.options.as_ref().is_some_and(|options| options.map_entry());
                if !map {
                    text(&self.message(message, target, None), bytes);
                }
            }
            _ => {
                encode_key(number, WireType::Varint, bytes);
                encode_varint(1, bytes);
            }
        }
    }
}

impl Method {
    pub(crate) fn fields(&self) -> usize {
        self.request.field.len()
    }

    /// Whether the request names what it is done to by one of these fields.
    pub(crate) fn names_a_target(&self) -> bool {
        self.request.field.iter().any(|field| {
            matches!(field.name(), "name" | "parent" | "issuer" | "resource") || field.r#type() == Type::Message
        })
    }
}

fn string(field: &str, target: &str) -> String {
    let organization = target.split('/').take(2).collect::<Vec<_>>().join("/");
    match field {
        "name" | "issuer" | "resource" | "subject" if target.contains("/keys/") || field != "subject" => target.into(),
        "subject" => "CN=peer0".into(),
        "parent" => organization,
        "principal" | "owner" | "members" => format!("{organization}/principals/peer0"),
        "request_id" | "process" => "6f1c2a30-0000-4000-8000-000000000001".into(),
        "session_process" => "".into(),
        "role" => "peer".into(),
        "action" => "Sign".into(),
        "filter" | "page_token" => "".into(),
        "paths" => "labels".into(),
        "confirm" => target.rsplit('/').next().unwrap_or_default().into(),
        _ => "x".into(),
    }
}

fn spoilt(field: &FieldDescriptorProto, how: Spoilt, bytes: &mut Vec<u8>) {
    let number = u32::try_from(field.number()).unwrap();
    let garbage: &[u8] = if how == Spoilt::Empty { b"" } else { b"\x01//../\x7f" };
    match field.r#type() {
        Type::String | Type::Bytes | Type::Message => {
            for _ in 0..if field.label() == Label::Repeated { 3 } else { 1 } {
                encode_key(number, WireType::LengthDelimited, bytes);
                encode_varint(garbage.len() as u64, bytes);
                bytes.put_slice(garbage);
            }
        }
        Type::Fixed32 => {
            encode_key(number, WireType::ThirtyTwoBit, bytes);
            bytes.put_u32_le(if how == Spoilt::Empty { 0 } else { u32::MAX });
        }
        _ => {
            encode_key(number, WireType::Varint, bytes);
            encode_varint(if how == Spoilt::Empty { 0 } else { u64::MAX }, bytes);
        }
    }
}

/// Messages as they are on the wire.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
