//! Scripts, styles and pictures below `static/`. Their addresses carry their content's hash (`asset()` in templates),
//! so a browser keeps them for ever and still gets a new one at once.

use actix_web::dev::{HttpServiceFactory, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::{Error, body::BoxBody, dev::ServiceRequest, web};

/// The folder as a service.
pub fn files(assets: &std::path::Path) -> impl HttpServiceFactory + 'static {
    web::scope("/static")
        .wrap(Compress::default())
        .wrap(from_fn(label))
        .service(
            actix_files::Files::new("", assets.join("static"))
                .use_etag(true)
                .disable_content_disposition(),
        )
}

async fn label(
    request: ServiceRequest,
    next: Next<impl actix_web::body::MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let hashed = request.query_string().starts_with("v=");
    let mut answer = next.call(request).await?.map_into_boxed_body();
    let words = if hashed && answer.status().is_success() {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(words));
    super::gate::harden(answer.headers_mut(), false);
    Ok(answer)
}
