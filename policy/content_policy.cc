// policy/content_policy.cc - see content_policy.h.
#include "policy/content_policy.h"

#include <algorithm>
#include <vector>

#include "core/text.h"
#include "core/text_out.h"
#include "sip/content_type.h"
#include "sip/file_selector.h"
#include "sip/sdp_writer.h"

namespace parley::policy {

namespace {

bool is_message_section(const sip::SdpMedia& media, std::string_view text) {
  return core::equal_ignore_case(media.media.of(text), "message");
}

bool allows_all(const UserPolicy& policy, MimePlace place) {
  const std::vector<std::string> allowed = policy.allowed_types(place);
  return allowed.size() == 1 && allowed.front() == "*/*";
}

// T-37: compared without case and parameters. "*" offers to take anything, which is more than the policy lets in.
bool allows_list(const UserPolicy& policy, std::string_view list, MimePlace place) {
  sip::SdpWords words(list);
  for (std::string_view word; words.next(word);) {
    if (word == "*" ? !allows_all(policy, place) : !policy.allows_type(word, place)) return false;
  }
  return true;
}

bool above(std::uint64_t size, std::optional<std::uint64_t> limit) { return limit && size > *limit; }

// As an accept-types line names them.
std::string sdp_types(const UserPolicy& policy, MimePlace place) {
  std::string list;
  for (const std::string& type : policy.allowed_types(place)) {
    if (type.find("*+") != std::string::npos) continue;  // a suffix can not be said there
    if (!list.empty()) list += ' ';
    list += type == "*/*" ? std::string("*") : type;
  }
  return list;
}

std::optional<std::uint64_t> size_limit(const UserPolicy& policy, ImKind kind) {
  return kind == ImKind::file_transfer ? policy.file_bytes_max() : policy.msrp_message_bytes_max();
}

}  // namespace

ContentVerdict judge_content(const UserPolicy& policy, const sip::Received& request) {
  ContentVerdict verdict;
  verdict.size = !above(request.body.size(), policy.pager_body_bytes_max());
  std::vector<ContentSeen> seen;
  const bool readable = read_content(request, seen);
  // What can not be looked through passes where nothing is asked about it.
  verdict.types = readable || (allows_all(policy, MimePlace::plain) && allows_all(policy, MimePlace::wrapped));
  for (const ContentSeen& content : seen) {
    if (content.type.size() > 10 &&
        core::equal_ignore_case(std::string_view(content.type).substr(0, 10), "multipart/")) {
      continue;  // its parts count
    }
    verdict.types = verdict.types && policy.allows_type(content.type, content.place);
  }
  return verdict;
}

ContentVerdict judge_description(const UserPolicy& policy, ImKind kind, std::string_view description) {
  ContentVerdict verdict;
  sip::Sdp sdp;
  if (description.empty() || !sip::parse_sdp(description, {}, sdp).ok()) return verdict;
  for (std::size_t i = 0; i < sdp.media_count; ++i) {
    const sip::SdpMedia& media = sdp.media[i];
    if (!is_message_section(media, description) || media.port == 0) continue;
    verdict.types = verdict.types && allows_list(policy, media.accept_types.of(description), MimePlace::plain) &&
                    allows_list(policy, media.accept_wrapped_types.of(description), MimePlace::wrapped);
    sip::FileSelector file;
    if (media.has_file_selector && sip::parse_file_selector(media.file_selector.of(description), file)) {  // OMA-FT-5
      verdict.types = verdict.types && (file.type.empty() || policy.allows_type(file.type, MimePlace::plain));
      if (file.has_size) verdict.size = verdict.size && !above(file.size, policy.file_bytes_max());
    } else if (media.has_max_size) {  // OMA-LRG-5
      verdict.size = verdict.size && !above(media.max_size, size_limit(policy, kind));
    }
  }
  return verdict;
}

std::string accept_of(const UserPolicy& policy) {
  std::vector<std::string> types = policy.allowed_types(MimePlace::plain);
  for (std::string& type : policy.allowed_types(MimePlace::wrapped)) {
    // What may be wrapped is named beside what may wrap it, unless that says nothing.
    if (type != "*/*" && std::find(types.begin(), types.end(), type) == types.end()) types.push_back(std::move(type));
  }
  std::string list;
  for (const std::string& type : types) list.append(list.empty() ? "" : ", ").append(type);
  return list;
}

std::string capabilities_of(const UserPolicy& policy, ImKind kind, std::string_view description,
                            std::string_view address, std::uint64_t session_id) {
  const std::string plain = sdp_types(policy, MimePlace::plain);
  const std::string wrapped =
      allows_all(policy, MimePlace::wrapped) ? std::string() : sdp_types(policy, MimePlace::wrapped);
  const std::optional<std::uint64_t> limit = size_limit(policy, kind);
  sip::SdpMediaText allowed{.refused = true,
                            .accept_types = plain,
                            .accept_wrapped_types = wrapped,
                            .has_max_size = limit.has_value(),
                            .max_size = limit.value_or(0)};
  std::vector<sip::SdpMediaText> media;
  sip::Sdp sdp;
  if (!description.empty() && sip::parse_sdp(description, {}, sdp).ok()) {
    for (std::size_t i = 0; i < sdp.media_count; ++i) {
      const sip::SdpMedia& offered = sdp.media[i];
      sip::SdpMediaText line = is_message_section(offered, description) ? allowed : sip::SdpMediaText{.refused = true};
      line.media = offered.media.of(description);
      line.protocol = offered.protocol_name.of(description);
      line.formats = offered.formats.of(description);
      media.push_back(line);
    }
  }
  if (media.empty()) media.push_back(allowed);
  const sip::SdpText text{.session_id = session_id, .version = 1, .address = address, .media = media};
  std::string out(sip::sdp_bytes(text), '\0');
  core::TextOut writer(out.data());
  sip::put_sdp(writer, text);
  return out;
}

}  // namespace parley::policy
