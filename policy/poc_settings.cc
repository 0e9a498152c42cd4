// policy/poc_settings.cc - see poc_settings.h.
#include "policy/poc_settings.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "policy/xml_writer.h"

namespace parley::policy {

namespace {

constexpr std::string_view poc_space = "urn:oma:params:xml:ns:poc:poc-settings";
constexpr std::string_view im_space = "urn:oma:xml:im:service-settings";

// The settings that are an element with `active`, under the element that holds them. DEC-18: his-settings is
// hist-settings; both readings of the history elements are below.
struct Switch {
  std::string_view group;
  std::string_view name;
  std::optional<bool> PocEntity::*value;
  bool negated = false;  // active="false" is what the value says (OMA-SET-5)
  bool of_rfc_4354 = false;
};
constexpr std::array<Switch, 6> settings_switches = {{
    {"isb-settings", "incoming-session-barring", &PocEntity::session_barred, false, true},  // SEED3-5.2.4-8 a
    {"ipab-settings", "incoming-personal-alert-barring", &PocEntity::pager_large_barred, false, true},  // b
    {"sss-settings", "simultaneous-sessions-support", &PocEntity::simultaneous_sessions, false, true},
    {"vis-settings", "vis-status", &PocEntity::invisible, true},                          // c
    {"deferred-settings", "offline-delivery", &PocEntity::offline_delivery},              // d
    {"ft-settings", "incoming-file-transfer-barring", &PocEntity::file_transfer_barred},  // g, OMA-SET-6
}};

bool known_space(std::string_view space) { return space.empty() || space == poc_space || space == im_space; }

std::string named(std::string_view name, std::string_view what) {
  return "<" + std::string(name) + "> " + std::string(what);
}

// `active`, or the text where a client has put it there.
XmlError read_active(XmlElement element, std::optional<bool>& out) {
  const std::string_view text = element.attribute("active").value_or(element.text());
  const auto value = xml_boolean(text);
  if (!value) return {element.line(), named(element.name(), "says neither true nor false")};
  out = *value;
  return {};
}

// SEED3-5.2.4-8 e and f: which of the two an element speaks of.
std::optional<bool> PocEntity::*history_kind(XmlElement element) {
  std::string_view kind = element.attribute("type").value_or(element.attribute("mode").value_or(""));
  if (kind.empty()) {
    const XmlElement session = element.child("session-mode");
    kind = (session ? session : element.child("pager-large-mode")).name();
  }
  if (kind == "session-mode") return &PocEntity::history_session;
  if (kind == "pager-large-mode") return &PocEntity::history_pager_large;
  return nullptr;
}

XmlError read_history(XmlElement element, PocEntity& out, bool& understood) {
  const auto kind = history_kind(element);
  understood = kind != nullptr;
  if (!understood) return {};
  std::optional<bool> active;
  // The child that names the kind may carry the value as well.
  const XmlElement child = element.child(kind == &PocEntity::history_session ? "session-mode" : "pager-large-mode");
  const bool by_child = !element.attribute("active") && element.text().empty() && child;
  if (XmlError error = read_active(by_child ? child : element, active)) return error;
  out.*kind = active;
  return {};
}

XmlError read_answer_mode(XmlElement element, PocEntity& out) {
  if (element.text() == "automatic") {
    out.answer_mode = AnswerMode::automatic;
  } else if (element.text() == "manual") {
    out.answer_mode = AnswerMode::manual;
  } else {
    return {element.line(), "<answer-mode> is neither automatic nor manual"};
  }
  return {};
}

// One child of what holds settings, or of the entity itself where a client has left the holder out.
XmlError read_setting(XmlElement element, PocEntity& out, bool& understood) {
  understood = known_space(element.space());
  if (!understood) return {};
  for (const Switch& known : settings_switches) {
    if (element.name() != known.name) continue;
    std::optional<bool> active;
    if (XmlError error = read_active(element, active)) return error;
    out.*known.value = *active != known.negated;
    return {};
  }
  if (element.name() == "hist-activation") return read_history(element, out, understood);
  if (element.name() == "answer-mode") return read_answer_mode(element, out);
  understood = false;
  return {};
}

bool is_holder(XmlElement element) {
  if (!known_space(element.space())) return false;
  if (element.name() == "am-settings" || element.name() == "hist-settings" || element.name() == "his-settings")
    return true;
  return std::any_of(settings_switches.begin(), settings_switches.end(),
                     [element](const Switch& s) { return s.group == element.name(); });
}

XmlError keep(XmlElement element, PocEntity& out) {
  XmlWriter xml(out.extension, true);
  const std::size_t room = poc_extension_bytes_max - out.extension.size();
  if (xml.copy(element, room)) return {};
  return {element.line(),
          "has more than " + std::to_string(poc_extension_bytes_max) + " bytes of elements that are not known here"};
}

XmlError read_entity(XmlElement entity, PocEntity& out) {
  out.id = entity.attribute("id").value_or("");
  if (out.id.size() > poc_entity_id_bytes_max) return {entity.line(), "<entity> has an id that is too long"};
  for (const XmlElement element : entity.children()) {
    bool understood = false;
    if (!is_holder(element)) {
      if (XmlError error = read_setting(element, out, understood)) return error;
      if (understood) continue;
      if (XmlError error = keep(element, out)) return error;
      continue;
    }
    for (const XmlElement setting : element.children()) {
      if (XmlError error = read_setting(setting, out, understood)) return error;
      if (understood) continue;
      // Kept without its holder, which would be there twice.
      if (XmlError error = keep(setting, out)) return error;
    }
  }
  return {};
}

// act(one, other) for each setting; PocEntity and ImSettings have the same.
template <class One, class Other, class Act>
void each_setting(One& one, Other& other, Act act) {
  act(one.session_barred, other.session_barred);
  act(one.pager_large_barred, other.pager_large_barred);
  act(one.invisible, other.invisible);
  act(one.offline_delivery, other.offline_delivery);
  act(one.history_session, other.history_session);
  act(one.history_pager_large, other.history_pager_large);
  act(one.file_transfer_barred, other.file_transfer_barred);
  act(one.answer_mode, other.answer_mode);
  act(one.simultaneous_sessions, other.simultaneous_sessions);
}

template <class Value>
void put_over(Value& base, const std::optional<Value>& said) {
  if (said) base = *said;
}

}  // namespace

XmlError parse_poc_settings(std::string_view bytes, PocSettings& out, const XmlLimits& limits) {
  out.entities.clear();
  XmlDocument document;
  if (XmlError error = document.parse(bytes, limits)) return error;
  const XmlElement root = document.root();
  if (root.name() != "poc-settings" || !known_space(root.space())) return {root.line(), "is no poc-settings document"};
  PocSettings read;
  for (const XmlElement element : root.children()) {
    if (element.name() != "entity" || !known_space(element.space())) continue;
    if (read.entities.size() == poc_entities_max) {
      return {element.line(), "has more than " + std::to_string(poc_entities_max) + " entities"};
    }
    if (XmlError error = read_entity(element, read.entities.emplace_back())) return error;
  }
  out = std::move(read);
  return {};
}

ImSettings settled(const ImSettings& base, const PocEntity& entity) {
  ImSettings settings = base;
  each_setting(settings, entity, [](auto& to, const auto& said) { put_over(to, said); });
  return settings;
}

ImSettings merged(std::span<const PocEntity> publications, const ImSettings& defaults) {
  ImSettings settings = defaults;
  for (const PocEntity& entity : publications) settings = settled(settings, entity);
  // OMA-SET-8: a barring is not lifted by another device's word.
  const auto barred = [publications](std::optional<bool> PocEntity::*value) {
    return std::any_of(publications.begin(), publications.end(),
                       [value](const PocEntity& e) { return (e.*value).value_or(false); });
  };
  settings.session_barred |= barred(&PocEntity::session_barred);
  settings.pager_large_barred |= barred(&PocEntity::pager_large_barred);
  settings.file_transfer_barred |= barred(&PocEntity::file_transfer_barred);
  return settings;
}

bool in_conflict(std::span<const PocEntity> publications) {
  bool conflict = false;
  for (std::size_t n = 1; n < publications.size(); ++n) {
    for (std::size_t m = 0; m < n; ++m) {
      each_setting(publications[m], publications[n],
                   [&conflict](const auto& a, const auto& b) { conflict = conflict || (a && b && *a != *b); });
      conflict = conflict || publications[m].extension != publications[n].extension;
    }
  }
  return conflict;
}

PocSettings composed(std::span<const PocEntity> publications) {
  if (publications.empty()) return {};
  if (in_conflict(publications)) return {{publications.begin(), publications.end()}};
  PocEntity one = publications.back();
  // They agree where both speak, so any that speaks will do.
  for (const PocEntity& other : publications) {
    each_setting(one, other, [](auto& to, const auto& from) {
      if (!to) to = from;
    });
  }
  return {{one}};
}

void put_poc_settings(const PocSettings& settings, std::string& out) {
  XmlWriter xml(out);
  xml.open("poc-settings").attribute("xmlns", poc_space).attribute("xmlns:im", im_space);
  for (const PocEntity& entity : settings.entities) {
    xml.open("entity").attribute("id", entity.id);
    const auto put = [&](const Switch& known) {
      const std::optional<bool>& value = entity.*known.value;
      if (!value) return;
      const std::string prefix = known.of_rfc_4354 ? "" : "im:";
      xml.open(prefix + std::string(known.group)).open(prefix + std::string(known.name));
      xml.boolean("active", *value != known.negated).close().close();
    };
    // The order of RFC 4354's schema, then that of OMA-SET-10.
    put(settings_switches[0]);
    if (entity.answer_mode) {
      xml.open("am-settings")
          .leaf("answer-mode", *entity.answer_mode == AnswerMode::automatic ? "automatic" : "manual")
          .close();
    }
    put(settings_switches[1]);
    put(settings_switches[2]);
    put(settings_switches[3]);
    put(settings_switches[4]);
    if (entity.history_session || entity.history_pager_large) {
      xml.open("im:hist-settings");
      const auto put_kind = [&xml](std::string_view kind, const std::optional<bool>& active) {
        if (active) xml.open("im:hist-activation").attribute("type", kind).boolean("active", *active).close();
      };
      put_kind("session-mode", entity.history_session);
      put_kind("pager-large-mode", entity.history_pager_large);
      xml.close();
    }
    put(settings_switches[5]);
    xml.raw(entity.extension).close();
  }
}

PocEntity said_in_full(const ImSettings& settings, std::string_view id) {
  PocEntity entity;
  entity.id = id;
  each_setting(entity, settings, [](auto& to, const auto& from) { to = from; });
  return entity;
}

}  // namespace parley::policy
