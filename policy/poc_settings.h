// policy/poc_settings.h - IM service settings: application/poc-settings+xml (RFC 4354) with the elements of the IM
// service. OMA-SET-2, OMA-SET-3, OMA-SET-4, OMA-SET-5, OMA-SET-6, OMA-SET-7, OMA-SET-8, OMA-SET-10, SEED3-5.2.4-8,
// DEC-17, DEC-18.
//
// Values. What publishes, expires and notifies stands elsewhere; here is what a document says, what several of them say
// together, and how that is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/xml_reader.h"

namespace parley::policy {

inline constexpr std::string_view poc_settings_type = "application/poc-settings+xml";
inline constexpr std::string_view poc_settings_event = "poc-settings";
// A document has no place for more devices than a user may have.
inline constexpr std::size_t poc_entities_max = 32;
inline constexpr std::size_t poc_entity_id_bytes_max = 256;
inline constexpr std::size_t poc_extension_bytes_max = 4096;  // of what is kept without being understood, per entity

enum class AnswerMode : std::uint8_t { manual, automatic };

// What the server acts on (OMA-SET-5). The defaults are those of a user who has published nothing (OMA-SET-7).
struct ImSettings {
  bool session_barred = false;        // SEED3-5.2.4-8 a
  bool pager_large_barred = false;    // b: pager and large messages
  bool invisible = false;             // c: vis-status active="false"; hides nobody from a message or a roster (OMA-SET-12)
  bool offline_delivery = true;       // d: deferred messages are pushed when the user registers
  bool history_session = false;       // e
  bool history_pager_large = false;   // f
  bool file_transfer_barred = false;  // g, its own element alone: ask bars_file_transfer()
  AnswerMode answer_mode = AnswerMode::manual;
  bool simultaneous_sessions = true;  // OMA-SES-11
  // DEC-17: either barring bars file transfers.
  [[nodiscard]] bool bars_file_transfer() const { return session_barred || file_transfer_barred; }
  bool operator==(const ImSettings&) const = default;
};

// What one agent has said: nullopt where it said nothing.
struct PocEntity {
  std::string id;  // of the publishing agent; may be empty when it gave none
  std::optional<bool> session_barred;
  std::optional<bool> pager_large_barred;
  std::optional<bool> invisible;
  std::optional<bool> offline_delivery;
  std::optional<bool> history_session;
  std::optional<bool> history_pager_large;
  std::optional<bool> file_transfer_barred;
  std::optional<AnswerMode> answer_mode;
  std::optional<bool> simultaneous_sessions;
  std::string extension;  // elements that were not understood, as XML, for republication (OMA-SET-4)
  bool operator==(const PocEntity&) const = default;
};

struct PocSettings {
  std::vector<PocEntity> entities;
};

// Liberal as OMA-SET-4 has it: elements by local name in either namespace or none, `his-settings` for `hist-settings`,
// `active` as attribute or text. What it has to be: a poc-settings root, and values that can be read (all or nothing).
[[nodiscard]] XmlError parse_poc_settings(std::string_view bytes, PocSettings& out, const XmlLimits& limits = {});

// `base` with what `entity` says put over it.
[[nodiscard]] ImSettings settled(const ImSettings& base, const PocEntity& entity);

// OMA-SET-8: of the live publications, the one that was made or changed last at the end. A barring holds when one of
// them says so; of everything else the last word counts; what nobody said is as in `defaults`.
[[nodiscard]] ImSettings merged(std::span<const PocEntity> publications, const ImSettings& defaults);
// Whether two of them say different things, or one has kept elements that another has not: then subscribers are told
// of each.
[[nodiscard]] bool in_conflict(std::span<const PocEntity> publications);
// What subscribers are told (RFC 4354 section 5.16): one entity with the id of the last one when all agree, otherwise
// all of them; none when nothing is published.
[[nodiscard]] PocSettings composed(std::span<const PocEntity> publications);

// The canonical document (OMA-SET-10), appended. Only what an entity says is written.
void put_poc_settings(const PocSettings& settings, std::string& out);
// All of a user's settings, for one who fetches what holds: said in full.
[[nodiscard]] PocEntity said_in_full(const ImSettings& settings, std::string_view id);

}  // namespace parley::policy
