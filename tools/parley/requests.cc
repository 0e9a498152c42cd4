// tools/parley/requests.cc - see requests.h.
#include "tools/parley/requests.h"

#include "sip/uri.h"
#include "sip/value.h"

namespace parley::client {

using sip::HeaderId;
using sip::Method;

namespace {

std::string angle(std::string_view uri) { return "<" + std::string(uri) + ">"; }

std::string address(std::string_view name, std::string_view uri) { return quoted_name(name) + angle(uri); }

// SEED3-7.1.1.1-8, OMA-ALIAS-1: an anonymous user's From says nothing but the alias.
std::string from_of(const Self& self) {
  return self.anonymous ? address(self.alias.empty() ? "Anonymous" : self.alias, anonymous_uri)
                        : address(self.display_name, self.aor);
}

// AO-IMA of a user equipment: P-Preferred-Identity, which the first trusted server makes P-Asserted-Identity.
std::string identity_of(const Self& self) {
  return address(self.anonymous && !self.alias.empty() ? self.alias : self.display_name, self.aor);
}

std::string contact_of(const Self& self, SessionKind kind) {
  std::string contact = angle(self.contact) + ";" + std::string(im_tag);
  if (kind == SessionKind::large) contact += ";" + std::string(large_message_tag);  // DEC-5
  return contact;
}

std::string accept_contact_of(SessionKind kind) {
  std::string value = "*;" + std::string(im_tag);
  if (kind == SessionKind::large) value += ";" + std::string(large_message_tag);  // DEC-5
  return value;
}

std::string expires_text(const sip::SessionExpires& expires) {
  std::string text(sip::session_expires_chars, '\0');
  text.resize(sip::session_expires_text(expires, text.data()).size());
  return text;
}

Request begin(const Self& self, Method method, std::string_view name, std::string_view uri) {
  Request request;
  request.method = method;
  request.name = name;
  request.uri = uri;
  request.from = from_of(self);
  request.to = angle(uri);
  return request;
}

void add_list(Lines& lines, std::string_view option, const std::vector<std::string>& users, BodyPart first) {
  std::vector<BodyPart> parts;
  parts.push_back(std::move(first));
  parts.push_back({.content_type = "application/resource-lists+xml",
                   .disposition = "recipient-list",
                   .content_id = {},
                   .body = resource_list(users)});
  lines.body = multipart(parts, lines.content_type);
  lines.add(HeaderId::require, option);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

// What there is now (Expires: 0).
Request fetch(const Self& self, std::string_view event, std::string_view accept) {
  Request request = begin(self, Method::subscribe, "SUBSCRIBE", self.aor);
  Lines& lines = request.lines;
  lines.add(HeaderId::p_preferred_identity, identity_of(self));
  lines.add(HeaderId::accept_contact, accept_contact_of(SessionKind::chat));
  lines.add(HeaderId::user_agent, self.version);
  lines.add(HeaderId::contact, contact_of(self, SessionKind::chat));
  lines.add(HeaderId::event, event);
  lines.add(HeaderId::accept, accept);
  lines.add(HeaderId::expires, "0");
  return request;
}

}  // namespace

bool can_be_called(std::string_view text) {
  sip::Uri uri;
  return sip::parse_uri(text, uri) && uri.scheme != sip::Scheme::other && uri.headers.empty();
}

std::string quoted_name(std::string_view name) {
  if (name.empty()) return {};
  std::string out = "\"";
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\" ";
}

// SEED3-9.1.1.1-0: a large message begins like any session.
Request session_invite(const Self& self, const SessionWish& wish) {
  Request request = begin(self, Method::invite, "INVITE", wish.to);
  Lines& lines = request.lines;
  lines.add(HeaderId::accept_contact,
            accept_contact_of(wish.kind));                    // SEED3-7.1.1.1-1, SEED1-7.1.1.1-1, SEED3-9.1.1.1-1
  lines.add(HeaderId::user_agent, self.version);              // SEED3-7.1.1.1-2, SEED1-7.1.1.1-2, SEED3-9.1.1.1-2
  lines.add(HeaderId::allow, own_methods);                    // SEED3-7.1.1.1-3, SEED1-7.1.1.1-3
  lines.add(HeaderId::contact, contact_of(self, wish.kind));  // SEED3-7.1.1.1-4, SEED1-7.1.1.1-4, SEED3-9.1.1.1-3
  if (self.anonymous) lines.add(HeaderId::privacy, "id");     // SEED3-7.1.1.1-5, -8, SEED1-7.1.1.1-5, SEED3-9.1.1.1-4
  lines.add(HeaderId::supported, own_options);                // SEED3-7.1.1.1-6, SEED1-7.1.1.1-6, SEED3-9.1.1.1-5
  if (wish.timer.on) {                                        // SEED3-7.1.1.1-7, SEED1-7.1.1.1-7, SEED3-9.1.1.1-6
    lines.add(HeaderId::session_expires, expires_text(wish.timer.expires));
  }
  if (wish.timer.min_se != 0) lines.add(HeaderId::min_se, std::to_string(wish.timer.min_se));  // R4028-2
  lines.add(HeaderId::p_preferred_identity, identity_of(self));                                // SEED3-7.1.1.1-9
  if (!wish.subject.empty()) lines.add(HeaderId::subject, wish.subject);
  if (wish.recipients.empty()) {
    lines.content_type = "application/sdp";  // SEED1-7.1.1.1-0: no list, no multipart
    lines.body = wish.sdp;
  } else {
    // R5366-1
    add_list(lines, "recipient-list-invite", wish.recipients,
             {.content_type = "application/sdp", .disposition = "session", .content_id = {}, .body = wish.sdp});
  }
  return request;
}

Lines invite_answer(const Self& self, std::uint16_t status, SessionKind kind, const sip::TimerGrant& grant,
                    std::string_view sdp) {
  Lines lines;
  lines.add(HeaderId::server, self.version);                     // SEED0-8.2.2.1-6
  lines.add(HeaderId::allow, own_methods);                       // SEED0-8.2.2.1-7
  lines.add(HeaderId::p_preferred_identity, identity_of(self));  // SEED0-8.2.2.1-8
  if (status >= 300) return lines;
  lines.add(HeaderId::contact, contact_of(self, kind));  // OMA-ID-1
  lines.add(HeaderId::supported, own_options);           // R4028-2
  if (status < 200) return lines;
  if (grant.on) {
    lines.add(HeaderId::session_expires, expires_text(grant.expires));
    if (grant.require) lines.add(HeaderId::require, "timer");
  }
  if (!sdp.empty()) {
    lines.content_type = "application/sdp";
    lines.body = sdp;
  }
  return lines;
}

Lines answer_lines(const Self& self) {
  Lines lines;
  lines.add(HeaderId::server, self.version);  // OMA-ID-3
  return lines;
}

Request pager_message(const Self& self, const PagerWish& wish) {
  const bool list = wish.to.size() > 1;
  // SEED3-8.1.1-6, -6b, -6c: a list goes to the factory. SEED3-8.1.1-5, -7a, -8: all else is the Request-URI itself.
  const std::string uri = list ? wish.factory + ";sessiontype=adhoc" : wish.to.front();
  Request request = begin(self, Method::message, "MESSAGE", uri);
  Lines& lines = request.lines;
  lines.add(HeaderId::accept_contact, accept_contact_of(SessionKind::chat));  // SEED3-8.1.1-1
  lines.add(HeaderId::p_preferred_identity, identity_of(self));               // SEED3-8.1.1-2
  lines.add(HeaderId::user_agent, self.version);                              // SEED3-8.1.1-3
  if (self.anonymous) lines.add(HeaderId::privacy, "id");                     // SEED3-8.1.1-4
  if (wish.expires) lines.add(HeaderId::expires, std::to_string(*wish.expires));
  if (!wish.target_dialog.empty()) {  // SEED3-8.1.1-N2, R4538-1
    lines.add(HeaderId::target_dialog, wish.target_dialog);
    lines.add(HeaderId::require, "tdialog");
  }
  if (!list) {
    lines.content_type = wish.content_type;  // SEED3-8.1.1-9: message/external-body, too, where the user says so
    lines.body = wish.body;
    return request;
  }
  add_list(lines, "recipient-list-message", wish.to,  // SEED3-8.1.1-6a, R5365-1
           {.content_type = wish.content_type, .disposition = {}, .content_id = {}, .body = wish.body});
  return request;
}

Request register_request(const Self& self, const RegisterWish& wish) {
  Request request = begin(self, Method::register_, "REGISTER", wish.registrar);
  request.from = address(self.display_name, self.aor);
  request.to = angle(self.aor);
  Lines& lines = request.lines;
  std::string contact = angle(self.contact + (self.flows ? ";ob" : ""));
  if (self.flows) contact += ";reg-id=1";                                       // RFC 5626 section 4.2
  contact += ";+sip.instance=\"" + angle(self.instance) + "\"";                 // OMA-REG-2
  contact += ";" + std::string(im_tag) + ";" + std::string(large_message_tag);  // OMA-REG-1
  lines.add(HeaderId::contact, contact);
  lines.add(HeaderId::expires, std::to_string(wish.expires));
  lines.add(HeaderId::supported, self.flows ? "path, outbound, gruu" : "path, gruu");
  lines.add(HeaderId::allow, own_methods);
  lines.add(HeaderId::user_agent, self.version);
  return request;
}

Request publish_settings(const Self& self, const PublishWish& wish) {
  Request request = begin(self, Method::publish, "PUBLISH", self.aor);  // SEED3-5.2.4-1, -2
  Lines& lines = request.lines;
  lines.add(HeaderId::p_preferred_identity, identity_of(self));               // SEED3-5.2.4-3
  lines.add(HeaderId::accept_contact, accept_contact_of(SessionKind::chat));  // SEED3-5.2.4-4
  lines.add(HeaderId::user_agent, self.version);                              // SEED3-5.2.4-5
  lines.add(HeaderId::event, "poc-settings");                                 // SEED3-5.2.4-6
  lines.add(HeaderId::expires, std::to_string(wish.expires));                 // SEED3-5.2.4-7
  if (!wish.etag.empty()) lines.add(HeaderId::sip_if_match, wish.etag);       // R3903-1
  if (!wish.document.empty()) {
    lines.content_type = "application/poc-settings+xml";  // SEED3-5.2.4-8
    lines.body = wish.document;
  }
  return request;
}

Request fetch_settings(const Self& self) {
  return fetch(self, "poc-settings", "application/poc-settings+xml");  // OMA-SET-1
}

Request fetch_list(const Self& self, Stored what) {
  return fetch(self, "ua-profile", list_type(what));  // OMA-DEF-11, OMA-HIS-1
}

Request subscribe_conference(const Self& self, std::string_view session, std::string_view target_dialog,
                             std::uint32_t expires) {
  Request request = begin(self, Method::subscribe, "SUBSCRIBE", session);  // SEED3-7.1.1.1-13: the session identity
  Lines& lines = request.lines;
  lines.add(HeaderId::p_preferred_identity, identity_of(self));
  lines.add(HeaderId::user_agent, self.version);
  if (self.anonymous) lines.add(HeaderId::privacy, "id");
  lines.add(HeaderId::contact, contact_of(self, SessionKind::chat));
  lines.add(HeaderId::event, "conference");                        // SEED1-7.1.1.1-11, OMA-CONF-1
  lines.add(HeaderId::accept, "application/conference-info+xml");  // OMA-CONF-1
  lines.add(HeaderId::expires, std::to_string(expires));
  if (!target_dialog.empty()) lines.add(HeaderId::target_dialog, target_dialog);  // R4538-1
  return request;
}

Lines refer_add(const Self& self, const std::vector<std::string>& users) {
  Lines lines;
  lines.add(HeaderId::contact, contact_of(self, SessionKind::chat));
  lines.add(HeaderId::p_preferred_identity, identity_of(self));
  lines.add(HeaderId::user_agent, self.version);
  lines.add(HeaderId::supported, own_options);
  if (users.size() == 1) {
    lines.add(HeaderId::refer_to, angle(users.front()));  // R3515-1, OMA-SES-6
    lines.add(HeaderId::refer_sub, "false");              // RFC 4488
    return lines;
  }
  // R5368-1
  lines.add(HeaderId::require, "multiple-refer, norefersub");
  lines.add(HeaderId::refer_sub, "false");
  lines.add(HeaderId::refer_to, "<cid:recipients@parley.invalid>");
  lines.add(HeaderId::content_id, "<recipients@parley.invalid>");
  lines.add(HeaderId::content_disposition, "recipient-list");
  lines.content_type = "application/resource-lists+xml";
  lines.body = resource_list(users);
  return lines;
}

Lines refer_expel(const Self& self, std::string_view user) {
  Lines lines;
  lines.add(HeaderId::contact, contact_of(self, SessionKind::chat));
  lines.add(HeaderId::p_preferred_identity, identity_of(self));
  lines.add(HeaderId::user_agent, self.version);
  lines.add(HeaderId::supported, own_options);
  lines.add(HeaderId::refer_to, angle(std::string(user) + ";method=BYE"));  // OMA-SES-7
  lines.add(HeaderId::refer_sub, "false");
  return lines;
}

Lines refresh_lines(const Self& self, SessionKind kind, const sip::TimerAsk& timer) {
  Lines lines;
  lines.add(HeaderId::contact, contact_of(self, kind));
  lines.add(HeaderId::supported, own_options);
  lines.add(HeaderId::allow, own_methods);
  lines.add(HeaderId::user_agent, self.version);
  if (timer.on) lines.add(HeaderId::session_expires, expires_text(timer.expires));
  if (timer.min_se != 0) lines.add(HeaderId::min_se, std::to_string(timer.min_se));
  return lines;
}

Lines bye_lines(const Self& self) {
  Lines lines;
  lines.add(HeaderId::user_agent, self.version);
  return lines;
}

std::string resource_list(const std::vector<std::string>& users) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
      "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\""
      " xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\">\r\n <list>\r\n";
  for (const std::string& user : users) {
    out += "  <entry uri=\"" + escaped(user) + "\" cp:copyControl=\"to\"/>\r\n";  // R5364-1, OMA-GRP-6
  }
  return out + " </list>\r\n</resource-lists>\r\n";
}

std::string multipart(const std::vector<BodyPart>& parts, std::string& content_type) {
  std::string boundary = "parley-part";
  const auto is_in = [&](const BodyPart& part) { return part.body.find("--" + boundary) != std::string::npos; };
  for (bool clash = true; clash;) {
    clash = false;
    for (const BodyPart& part : parts) clash = clash || is_in(part);
    if (clash) boundary += "-x";
  }
  content_type = "multipart/mixed;boundary=" + boundary;
  std::string out;
  for (const BodyPart& part : parts) {
    out += "--" + boundary + "\r\nContent-Type: " + part.content_type + "\r\n";
    if (!part.disposition.empty()) out += "Content-Disposition: " + part.disposition + "\r\n";
    if (!part.content_id.empty()) out += "Content-ID: " + part.content_id + "\r\n";
    out += "\r\n" + part.body + "\r\n";
  }
  return out + "--" + boundary + "--\r\n";
}

}  // namespace parley::client
