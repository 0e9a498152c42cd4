// tests/fuzz/sip_sdp_fuzz.cc - session descriptions: every span lies inside the text, what is read does not depend on
// how lines end, a description answers itself, and the writer's output is read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "sip/file_selector.h"
#include "sip/offer_answer.h"
#include "sip/sdp.h"
#include "sip/sdp_types.h"
#include "sip/sdp_writer.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"

namespace {

using namespace parley::sip;

void check_span(std::string_view text, Span span) {
  CHECK(span.offset <= text.size());
  CHECK(span.length <= text.size() - span.offset);
}

// One line at most.
void check_value(std::string_view text, Span span) {
  check_span(text, span);
  CHECK(span.of(text).find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
}

void check_file(std::string_view text, const SdpMedia& media) {
  FileSelector selector;
  if (parse_file_selector(media.file_selector.of(text), selector)) {
    std::string room(selector.name.size(), '?');
    CHECK(decode_file_name(selector.name, room.data()).size() <= selector.name.size());
    Sha1 hash;
    (void)decode_file_hash(selector.hash, hash);
  }
  FileRange range;
  if (parse_file_range(media.file_range.of(text), range)) CHECK(range.start <= range.stop);
  (void)file_date(media.file_date.of(text), "creation");
}

void check_media(std::string_view text, const Sdp& sdp) {
  std::size_t at = sdp.session.length;
  CHECK(sdp.session.offset == 0);
  for (std::size_t i = 0; i < sdp.media_count; ++i) {
    const SdpMedia& media = sdp.media[i];
    CHECK(media.section.offset == at);
    at += media.section.length;
    for (const Span span :
         {media.line, media.media, media.protocol_name, media.formats, media.path, media.accept_types,
          media.accept_wrapped_types, media.fingerprint, media.chatroom, media.file_selector, media.file_transfer_id,
          media.file_disposition, media.file_date, media.file_icon, media.file_range, media.connection.address}) {
      check_value(text, span);
    }
    CHECK(media.media.present());
    check_file(text, media);
    (void)accepts_wrapped(media.section.of(text), "message/cpim", "text/plain");
    (void)connect_target(text, sdp, media);
  }
  CHECK(at == text.size());
}

// What we would answer: every section refused or taken with the peer's own values.
void check_answer_to(std::string_view text, const Sdp& offer) {
  const TakePlan plan = take_sections(text, offer, {.sessions_max = sdp_media_max});
  std::vector<SdpMediaText> sections;
  for (std::size_t i = 0; i < offer.media_count; ++i) {
    const SdpMedia& media = offer.media[i];
    sections.push_back({.refused = plan.take[i] == Take::refuse,
                        .media = media.media.of(text),
                        .protocol = media.protocol_name.of(text),
                        .formats = media.formats.present() ? media.formats.of(text) : "*",
                        .port = 2855,
                        .accept_types = media.accept_types.of(text),
                        .has_max_size = media.has_max_size,
                        .max_size = media.max_size,
                        .setup = answer_setup(setup_of(offer, media), SdpSetup::passive),
                        .direction = answer_direction(direction_of(offer, media), SdpDirection::sendrecv),
                        .path = media.path.of(text),
                        .file_section = media.section.of(text)});
  }
  const SdpText answer_text{
      .session_id = 1, .version = 1, .address = "192.0.2.1", .time = offer.time.of(text), .media = sections};
  const std::uint32_t size = sdp_bytes(answer_text);
  std::string written(size, '?');
  parley::core::TextOut out(written.data());
  put_sdp(out, answer_text);
  CHECK(out.size() == size);
  Sdp answer;
  CHECK(parse_sdp(written, {.bytes_max = size}, answer).ok());
  CHECK(check_answer(text, offer, written, answer) == AnswerFault::none);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::ExactBlock block({reinterpret_cast<const char*>(data), size});
  const std::string_view text = block.view();
  Sdp sdp;
  const SdpVerdict verdict = parley::tests::without_memory(size, [&] { return parse_sdp(text, {}, sdp); });
  if (!verdict.ok()) {
    CHECK(verdict.offset <= text.size());
    return 0;
  }
  for (const Span span : {sdp.origin.line, sdp.origin.username, sdp.origin.version, sdp.origin.address, sdp.name,
                          sdp.time, sdp.connection.address, sdp.fingerprint}) {
    check_value(text, span);
  }
  CHECK(sdp.origin.address.present());
  check_media(text, sdp);
  check_answer_to(text, sdp);
  CHECK(compare_sdp(text, sdp, text, sdp) == SdpChange::none);
  CHECK(keeps_sections(text, sdp, text, sdp));

  std::string line_feeds(text);
  std::erase(line_feeds, '\r');
  Sdp again;
  CHECK(parse_sdp(line_feeds, {}, again).ok());
  CHECK(again.media_count == sdp.media_count);
  for (std::size_t i = 0; i < sdp.media_count; ++i) {
    CHECK(again.media[i].path.of(line_feeds) == sdp.media[i].path.of(text));
    CHECK(again.media[i].port == sdp.media[i].port);
  }
  return 0;
}
