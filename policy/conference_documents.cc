// policy/conference_documents.cc - the documents of a roster: RFC 4575 section 5, in the order of its schema. See
// conference_info.h.
#include <algorithm>

#include "policy/conference_info.h"
#include "policy/xml_writer.h"

namespace parley::policy {

namespace {

// The one stream there is: of available-media and of each endpoint's media (OMA-CONF-7).
constexpr std::string_view message_stream = "1";

std::string_view to_text(bool value) { return value ? "true" : "false"; }

// Of the media stream, as the participant sees it (RFC 4575 section 5.8.5); empty: he has none.
std::string_view media_status(EndpointStatus status) {
  switch (status) {
    case EndpointStatus::connected: return "sendrecv";
    case EndpointStatus::muted_via_focus: return "recvonly";
    case EndpointStatus::on_hold: return "inactive";
    case EndpointStatus::disconnected:
    case EndpointStatus::pending:
    case EndpointStatus::alerting:
    case EndpointStatus::dialing_in:
    case EndpointStatus::dialing_out:
    case EndpointStatus::disconnecting: break;
  }
  return {};
}

// Section 5.3.
void put_description(XmlWriter& xml, const ConferenceDescription& description) {
  xml.open("conference-description");
  if (!description.display_text.empty()) xml.leaf("display-text", description.display_text);
  if (!description.subject.empty()) xml.leaf("subject", description.subject);
  if (!description.conf_uris.empty()) {
    xml.open("conf-uris");
    for (const std::string& uri : description.conf_uris) {
      xml.open("entry").leaf("uri", uri).leaf("purpose", "participation").close();
    }
    xml.close();
  }
  if (description.maximum_user_count != 0) {
    xml.leaf("maximum-user-count", std::to_string(description.maximum_user_count));
  }
  xml.open("available-media").open("entry").attribute("label", message_stream);
  xml.leaf("type", "message").leaf("status", "sendrecv").close().close();
  xml.close();
}

// Section 5.5.
void put_state(XmlWriter& xml, std::uint32_t user_count, bool active, bool locked) {
  xml.open("conference-state").leaf("user-count", std::to_string(user_count));
  xml.leaf("active", to_text(active)).leaf("locked", to_text(locked)).close();
}

}  // namespace

std::string_view to_string(EndpointStatus status) {
  switch (status) {
    case EndpointStatus::connected: return "connected";
    case EndpointStatus::disconnected: return "disconnected";
    case EndpointStatus::on_hold: return "on-hold";
    case EndpointStatus::muted_via_focus: return "muted-via-focus";
    case EndpointStatus::pending: return "pending";
    case EndpointStatus::alerting: return "alerting";
    case EndpointStatus::dialing_in: return "dialing-in";
    case EndpointStatus::dialing_out: return "dialing-out";
    case EndpointStatus::disconnecting: return "disconnecting";
  }
  return "";
}

std::string_view to_string(JoiningMethod method) {
  switch (method) {
    case JoiningMethod::dialed_in: return "dialed-in";
    case JoiningMethod::dialed_out: return "dialed-out";
    case JoiningMethod::focus_owner: return "focus-owner";
  }
  return "";
}

std::string_view to_string(DisconnectionMethod method) {
  switch (method) {
    case DisconnectionMethod::departed: return "departed";
    case DisconnectionMethod::booted: return "booted";
    case DisconnectionMethod::failed: return "failed";
    case DisconnectionMethod::busy: return "busy";
  }
  return "";
}

std::string reason_text(std::uint32_t cause, std::string_view text) {
  std::string value = "Reason: SIP";
  if (cause != 0) value += ";cause=" + std::to_string(cause);
  if (text.empty()) return value;
  value += ";text=\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') value += '\\';
    value += c;
  }
  return value += '"';
}

void put_conference_head(std::string_view entity, ConferenceInfoState state, std::uint32_t version, std::string& out) {
  constexpr std::string_view states[] = {"full", "partial", "deleted"};
  out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  std::string start;
  XmlWriter xml(start, true);
  xml.open("conference-info").attribute("xmlns", "urn:ietf:params:xml:ns:conference-info");
  xml.attribute("xmlns:xcon", "urn:ietf:params:xml:ns:xcon-conference-info").attribute("entity", entity);
  xml.attribute("state", states[static_cast<std::size_t>(state)]);
  out.append(start).append(" version=\"").append(std::to_string(version));
}

// Without departed endpoints; what is said of nearly all users, so it is kept.
const std::string& Roster::xml_of(User& user) {
  if (user.xml.empty()) put_user(user, version_, user.xml);
  return user.xml;
}

// Sections 5.6 and 5.7. Endpoints that have left after `told` are still shown.
void Roster::put_user(const User& user, std::uint64_t told, std::string& out) {
  XmlWriter xml(out, true);
  xml.open("user").attribute("entity", user.entity).attribute("state", "full");
  if (!user.alias.empty()) xml.attribute("xcon:nickname", user.alias);  // RFC 7701 section 7.4
  const std::string& display = user.alias.empty() ? user.display : user.alias;
  if (!display.empty()) xml.leaf("display-text", display);
  for (const Endpoint& endpoint : user.endpoints) {
    if (endpoint.left != 0 && endpoint.left <= told) continue;
    xml.open("endpoint").attribute("entity", endpoint.entity).attribute("state", "full");
    xml.leaf("status", to_string(endpoint.status)).leaf("joining-method", to_string(endpoint.method));
    if (endpoint.left != 0) {
      xml.leaf("disconnection-method", to_string(endpoint.disconnection));
      if (!endpoint.reason.empty()) xml.open("disconnection-info").leaf("reason", endpoint.reason).close();
    }
    if (const std::string_view media = media_status(endpoint.status); !media.empty()) {
      xml.open("media").attribute("id", message_stream).leaf("type", "message");
      xml.leaf("label", message_stream).leaf("status", media).close();
    }
    xml.close();
  }
}

RosterDocument Roster::document(RosterPosition& at, bool full) {
  full = full || at.told == 0 || at.before < forgotten_;
  // Positions between which nobody left are one.
  if (const auto first = departures_.upper_bound(at.before); !full) {
    at.before = first == departures_.end() || first->first > at.told ? at.told : first->first - 1;
  }
  for (;;) {
    const RosterPosition key = full ? RosterPosition{} : at;
    auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.at == key; });
    if (kept == kept_.end()) {
      if (kept_.size() >= limits_.documents_max) kept_.pop_front();
      kept = kept_.insert(kept_.end(), Kept{.at = key, .document = {}, .text = {}});
      if (full) {
        write_full(*kept);
      } else {
        write_partial(at, *kept);
      }
      ++documents_written_;
      kept->document.full = full;
      kept->document.tail = kept->text;
    }
    if (!full && kept->text.size() > limits_.document_bytes_max) {
      full = true;
      continue;
    }
    at = {kept->document.more ? at.told : version_, version_};
    return kept->document;
  }
}

void Roster::write_full(Kept& kept) {
  std::string& text = kept.text;
  text = "\">";
  XmlWriter xml(text, true);
  put_description(xml, description_);
  put_state(xml, connected_, active_, locked_);
  xml.open("users").attribute("state", "full").raw({});
  constexpr std::string_view end = "</users></conference-info>\n";
  for (auto& [number, user] : users_) {
    if (user.left != 0) continue;
    const std::string& one = xml_of(user);
    if (text.size() + one.size() + end.size() > limits_.document_bytes_max) {
      kept.document.truncated = true;
      break;
    }
    text += one;
  }
  xml.close().raw("</conference-info>\n");
}

// OMA-CONF-3: every state is written, what is deleted has no children.
void Roster::write_partial(const RosterPosition& at, Kept& kept) {
  std::string& text = kept.text;
  text = "\">";
  XmlWriter xml(text, true);
  if (description_changed_ > at.told) put_description(xml, description_);
  if (state_changed_ > at.told) put_state(xml, connected_, active_, locked_);
  const auto left_between = [&](const Endpoint& endpoint) {
    return endpoint.left > at.before && endpoint.left <= at.told;
  };
  bool any = false;
  const auto begin = [&] {
    if (!std::exchange(any, true)) xml.open("users").attribute("state", "partial");
    xml.raw({});
  };
  for (auto change = by_change_.upper_bound(at.before); change != by_change_.end(); ++change) {
    User& user = users_.find(change->second)->second;
    const auto& endpoints = user.endpoints;
    if (user.changed > at.told) {
      begin();
      const bool parting =
          std::any_of(endpoints.begin(), endpoints.end(), [&](const Endpoint& e) { return e.left > at.told; });
      if (parting) {
        put_user(user, at.told, text);
      } else {
        text += xml_of(user);
      }
    } else if (user.left != 0) {
      begin();
      xml.open("user").attribute("entity", user.entity).attribute("state", "deleted").close();
    } else if (std::any_of(endpoints.begin(), endpoints.end(), left_between)) {
      begin();
      text += xml_of(user);
    }
  }
  if (any) xml.close();
  xml.raw("</conference-info>\n");
  kept.document.more = departures_.upper_bound(at.told) != departures_.end();
}

}  // namespace parley::policy
