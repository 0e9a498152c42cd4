// sip/reginfo.cc - see reginfo.h.
#include "sip/reginfo.h"

#include <algorithm>

#include "core/text.h"
#include "sip/params.h"
#include "sip/xml_text.h"

namespace parley::sip {

namespace {

void put_attribute(std::string& out, std::string_view name, std::string_view value) {
  out.append(" ").append(name).append("=\"");
  put_xml_text(out, value);
  out += '"';
}

void put_attribute(std::string& out, std::string_view name, const std::optional<std::uint64_t>& value) {
  if (value) put_attribute(out, name, std::to_string(*value));
}

// 0.5, 1, 0.125
std::string q_text(std::uint16_t thousandths) {
  const unsigned q = std::min<unsigned>(thousandths, 1000);
  if (q % 1000 == 0) return std::to_string(q / 1000);
  std::string digits = std::to_string(1000 + q).substr(1);
  while (digits.back() == '0') digits.pop_back();
  return "0." + digits;
}

// The text a quoted string stands for (RFC 3261 section 25.1, quoted-pair); a display name without quotes as it is.
std::string unquoted(std::string_view display) {
  if (display.empty() || display.front() != '"') return std::string(display);
  const std::string_view inside = without_quotes(display);
  std::string text;
  for (std::size_t n = 0; n < inside.size(); ++n) {
    if (inside[n] == '\\' && n + 1 < inside.size()) ++n;
    text += inside[n];
  }
  return text;
}

bool of_rfc_3261(std::string_view name) {
  return core::equal_ignore_case(name, "q") || core::equal_ignore_case(name, "expires");
}

// As they stand, quotes included: RFC 5628 section 5 shows +sip.instance so.
void put_unknown_params(std::string& out, std::string_view params) {
  for (Param param; take_param(params, param);) {
    if (of_rfc_3261(param.name)) continue;
    out += "<unknown-param";
    put_attribute(out, "name", param.name);
    out += '>';
    put_xml_text(out, param.value);
    out += "</unknown-param>";
  }
}

// In the order of section 5.1; the schema wants uri, display-name, unknown-param in theirs.
void put_contact(std::string& out, const ReginfoContact& contact) {
  const bool ended = ends_contact(contact.event);
  out += "<contact";
  put_attribute(out, "id", contact.id);
  put_attribute(out, "state", ended ? "terminated" : "active");
  put_attribute(out, "event", to_string(contact.event));
  if (contact.event == ContactEvent::shortened) {
    put_attribute(out, "expires", contact.expires_seconds.value_or(0));
  } else if (!ended) {
    put_attribute(out, "expires", contact.expires_seconds);
  }
  if (contact.event == ContactEvent::probation) {
    put_attribute(out, "retry-after", contact.retry_after_seconds.value_or(0));
  }
  put_attribute(out, "duration-registered", contact.registered_seconds);
  if (contact.q) put_attribute(out, "q", q_text(*contact.q));
  if (!contact.call_id.empty()) put_attribute(out, "callid", contact.call_id);
  put_attribute(out, "cseq", contact.cseq);
  out += "><uri>";
  put_xml_text(out, contact.uri);
  out += "</uri>";
  if (!contact.display.empty()) {
    out += "<display-name>";
    put_xml_text(out, unquoted(contact.display));
    out += "</display-name>";
  }
  put_unknown_params(out, contact.params);
  out += "</contact>\n";
}

}  // namespace

std::string_view to_string(RegistrationState state) {
  switch (state) {
    case RegistrationState::init: return "init";
    case RegistrationState::active: return "active";
    case RegistrationState::terminated: return "terminated";
  }
  return "";
}

std::string_view to_string(ContactEvent event) {
  switch (event) {
    case ContactEvent::registered: return "registered";
    case ContactEvent::created: return "created";
    case ContactEvent::refreshed: return "refreshed";
    case ContactEvent::shortened: return "shortened";
    case ContactEvent::expired: return "expired";
    case ContactEvent::deactivated: return "deactivated";
    case ContactEvent::probation: return "probation";
    case ContactEvent::unregistered: return "unregistered";
    case ContactEvent::rejected: return "rejected";
  }
  return "";
}

void put_reginfo(const ReginfoDocument& document, std::string& out) {
  out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\"";
  put_attribute(out, "version", std::to_string(document.version));
  put_attribute(out, "state", document.full ? "full" : "partial");
  out += ">\n";
  for (const ReginfoRegistration& registration : document.registrations) {
    out += "<registration";
    put_attribute(out, "aor", registration.aor);
    put_attribute(out, "id", registration.id);
    put_attribute(out, "state", to_string(registration.state));
    out += ">\n";
    for (const ReginfoContact& contact : registration.contacts) put_contact(out, contact);
    out += "</registration>\n";
  }
  out += "</reginfo>\n";
}

void ReginfoChanges::add(const ReginfoContact& contact) {
  auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.id == contact.id; });
  if (entry == entries_.end()) {
    if (entries_.size() == reginfo_changes_max) {
      overflown_ = true;
      return;
    }
    entry = entries_.emplace(entries_.end());
    entry->id = contact.id;
  }
  entry->uri = contact.uri;
  entry->display = contact.display;
  entry->params = contact.params;
  entry->call_id = contact.call_id;
  entry->contact = contact;
}

std::vector<ReginfoContact> ReginfoChanges::contacts() const {
  std::vector<ReginfoContact> contacts;
  contacts.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    ReginfoContact contact = entry.contact;
    contact.id = entry.id;
    contact.uri = entry.uri;
    contact.display = entry.display;
    contact.params = entry.params;
    contact.call_id = entry.call_id;
    contacts.push_back(contact);
  }
  return contacts;
}

void ReginfoChanges::clear() {
  entries_.clear();
  overflown_ = false;
}

}  // namespace parley::sip
