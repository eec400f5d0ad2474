//! What witnesses bring.

use crate::{
    access::Target,
    error::Error,
    grpc::{Parts, convert, peer, status::status},
    model::{Action, OrganizationName},
};
use chancery_api::v1;
use tonic::{Request, Response, Status};

pub(super) async fn add_cosignature(
    parts: &Parts,
    request: Request<v1::AddCosignatureRequest>,
) -> Result<Response<v1::AddCosignatureResponse>, Status> {
    let peer = peer(&request)?;
    let add = async {
        let organization: OrganizationName = convert::name("parent", &request.get_ref().parent)?;
        let target = Target::Organization(organization.clone());
        let grant = parts.admission.admit(&peer, Action::AddCosignature, target).await?;
        let own = grant.caller().principal().name.organization().clone();
        if own != organization {
            return Err(Error::invalid("parent", format!("a witness brings its own cosignatures: {own}")));
        }
        let added = parts.witnesses.add(&own, &request.get_ref().note).await;
        let (cosignatures, required) = match added {
            Ok(counts) => counts,
            Err(error) => return Err(parts.admission.rejected(grant.caller(), error).await),
        };
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (cosignatures, required) = (number(cosignatures), number(required));
        Ok(Response::new(v1::AddCosignatureResponse { cosignatures, required }))
    };
    add.await.map_err(|error| status(&error))
}
