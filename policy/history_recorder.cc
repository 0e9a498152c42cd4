// policy/history_recorder.cc - see history_recorder.h.
#include "policy/history_recorder.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/cpim.h"
#include "sip/address.h"
#include "sip/content_type.h"

namespace parley::policy {

using core::Metric;

namespace {

constexpr std::uint32_t talks_max = 1 << 20;
// Messages of one talk of which more is to come; with one more, the one that has waited longest is given up.
constexpr std::size_t recorded_open_max = 64;
constexpr std::uint32_t recorded_head_bytes_max = 8 * 1024;
// The bodies of these have no more than this part of what the shard has for all.
constexpr std::uint64_t talk_share = 16;
constexpr core::Duration expired_look_every = std::chrono::seconds(60);
constexpr core::Duration expired_look_pause = std::chrono::milliseconds(200);
constexpr std::uint32_t expired_at_once = 64;
constexpr core::Duration again_pause = std::chrono::seconds(1);
constexpr std::size_t again_max = 64 * 1024;
constexpr std::size_t again_at_once = 256;
constexpr std::uint64_t look_number = 0;      // of the token of what looks for expired ones,
constexpr std::uint64_t message_number = 1;   // and of any message
constexpr std::uint64_t first_put_number = 2;

bool is_notice(const sip::ContentType& type) {
  return sip::is_type(type, "application", "im-iscomposing+xml") || sip::is_type(type, "message", "imdn+xml");
}

// What a message is, as far as its beginning tells.
struct Seen {
  bool excluded = false;  // OMA-HIS-4: no message of a user
  std::string_view imdn_id;
};
Seen look_at(std::string_view type_value, std::string_view bytes, bool whole) {
  sip::ContentType type;
  if (!sip::parse_content_type(type_value, type)) return {};
  if (is_notice(type)) return {.excluded = true, .imdn_id = {}};
  if (!sip::is_type(type, "message", "cpim")) return {};
  CpimParser parser;
  if (parser.parse(bytes, whole, recorded_head_bytes_max) != CpimParser::Progress::done) return {};
  const CpimHead& head = parser.head();
  const bool said = head.content_type.present() && sip::parse_content_type(head.content_type.of(bytes), type);
  return {.excluded = said && is_notice(type),
          .imdn_id = head.imdn_message_id.present() ? head.imdn_message_id.of(bytes) : std::string_view{}};
}

// Between characters of UTF-8.
void cut(std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return;
  std::size_t end = bytes_max;
  while (end != 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
}

// Half a URI would name somebody else.
void cut_address(std::string& value, std::size_t bytes_max) {
  if (value.size() <= bytes_max) return;
  sip::Address address;
  std::string uri = sip::parse_address(value, address) ? "<" + std::string(address.uri) + ">" : std::string();
  value = uri.size() <= bytes_max ? std::move(uri) : std::string();
}

std::string_view cut_type(std::string_view type, std::size_t bytes_max) {
  if (type.size() <= bytes_max) return type;
  type = type.substr(0, type.find(';'));
  return type.size() <= bytes_max ? type : std::string_view("application/octet-stream");
}

}  // namespace

HistoryRecorder::HistoryRecorder(const Parts& parts)
    : shard_(parts.shard),
      metrics_(parts.metrics),
      ids_(parts.ids),
      config_(parts.config),
      talks_(talks_max),
      numbers_(first_put_number) {}

void HistoryRecorder::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  out_ = &out;
}

// --- whose time is over

void HistoryRecorder::end() {
  tell_again();
  if (!on() || shard_ != 0 || looking_) return;
  if (look_at_ == core::never) look_at_ = now_.mono + expired_look_every;
  if (look_at_ > now_.mono) return;
  looking_ = true;
  look_at_ = core::never;
  out_->store({store_token(StoreOwner::history, look_number),
               core::RemoveHistoryExpired{.now_ms = now_.wall_ms, .count_max = expired_at_once}});
}

std::int64_t HistoryRecorder::end_of_time(std::int64_t ended_ms) const {
  return ended_ms + std::chrono::duration_cast<std::chrono::milliseconds>(config_->im.history.age_max).count();
}

// --- talks and records

TalkId HistoryRecorder::open(bool waits) {
  const TalkId talk = talks_.emplace();
  if (Talk* const opened = talks_.get(talk)) {
    opened->self = talk;
    opened->waits = waits;
  } else {
    metrics_.add(Metric::history_talks_limit);
  }
  return talk;
}

core::HistoryRecordRow HistoryRecorder::row_of(Beginning beginning, std::int64_t began_ms) {
  if (beginning.people.size() > people_bytes_max) {
    beginning.people.resize(beginning.people.rfind('\n', people_bytes_max - 1) + 1);
  }
  for (std::string* const address : {&beginning.from, &beginning.to, &beginning.group}) cut_address(*address, text_bytes_max);
  cut(beginning.subject, text_bytes_max);
  return {.id = ids_.next(now_.wall_ms),
          .aor = std::move(beginning.aor),
          .kind = beginning.mode == HistoryMode::session ? core::HistoryKind::session : core::HistoryKind::pager_large,
          .from = std::move(beginning.from),
          .to = std::move(beginning.to),
          .group = std::move(beginning.group),
          .people = std::move(beginning.people),
          .subject = std::move(beginning.subject),
          .begun_by_owner = beginning.begun_by_owner,
          .began_ms = began_ms,
          .expires_ms = end_of_time(began_ms)};
}

void HistoryRecorder::start(TalkId id, std::uint64_t party, Beginning beginning) {
  Talk* const talk = talks_.get(id);
  if (talk == nullptr) return;
  const auto there =
      std::find_if(talk->tracks.begin(), talk->tracks.end(), [&](const Track& track) { return track.party == party; });
  if (there != talk->tracks.end()) {
    ++there->uses;
    return;
  }
  Track track{.party = party, .row = row_of(std::move(beginning), now_.wall_ms)};
  // Of a large message there is a record when there is one.
  if (track.row.kind == core::HistoryKind::session) put(track, id);
  talk->tracks.push_back(std::move(track));
}

void HistoryRecorder::stop(TalkId id, std::uint64_t party) {
  Talk* const talk = talks_.get(id);
  if (talk == nullptr) return;
  const auto there =
      std::find_if(talk->tracks.begin(), talk->tracks.end(), [&](const Track& track) { return track.party == party; });
  if (there == talk->tracks.end() || --there->uses != 0) return;
  finish(*there);
  talk->tracks.erase(there);
  if (!talk->tracks.empty()) return;
  while (!talk->open.empty()) forget(*talk, talk->open.size() - 1);
}

void HistoryRecorder::close(TalkId id) {
  Talk* const talk = talks_.get(id);
  if (talk == nullptr) return;
  for (Track& track : talk->tracks) finish(track);
  while (!talk->open.empty()) forget(*talk, talk->open.size() - 1);
  talks_.erase(id);
}

// SEED4-6.1.2.2.5-5.
void HistoryRecorder::finish(Track& track) {
  track.row.ended_ms = now_.wall_ms;
  track.row.expires_ms = end_of_time(now_.wall_ms);
  if (track.put) {
    tell({.aor = track.row.aor, .what = {track.row.id, track.row.ended_ms, track.row.expires_ms}});
  } else if (track.row.kind == core::HistoryKind::session) {  // once more: it was refused when it began
    put(track, {});
  }
}

void HistoryRecorder::tell(Ending ending) {
  const std::uint64_t number = numbers_++;
  out_->store({store_token(StoreOwner::history, number), ending.what});
  ends_.emplace(number, std::move(ending));
}

// A record that goes on has no time that could be over.
void HistoryRecorder::tell_again() {
  if (again_at_ > now_.mono) return;
  for (std::size_t i = 0; i < again_at_once && !again_.empty(); ++i) {
    tell(std::move(again_.front()));
    again_.pop_front();
  }
  again_at_ = again_.empty() ? core::never : now_.mono + again_pause;
}

void HistoryRecorder::put(Track& track, TalkId talk) {
  const HistoryConfig& config = config_->im.history;
  track.put = true;
  const std::uint64_t number = numbers_++;
  puts_.emplace(number, Asked{.talk = talk, .record = track.row.id, .aor = track.row.aor});
  out_->store({store_token(StoreOwner::history, number),
               core::PutHistory{.row = track.row, .count_max = config.count_max, .keep_old = config.keep_old}});
}

// --- messages

void HistoryRecorder::take(TalkId id, const Piece& piece) {
  Talk* const talk = talks_.get(id);
  if (talk == nullptr || talk->tracks.empty()) return;
  const auto found = std::find_if(talk->open.begin(), talk->open.end(), [&](const Open& open) {
    if (open.done) return false;
    // A number says which it is also when it is not known any more who has sent it: he has left.
    if (piece.number != 0) return open.number == piece.number;
    return open.number == 0 && open.from == piece.from && open.message_id == piece.message_id;
  });
  auto index = static_cast<std::size_t>(found - talk->open.begin());
  const bool ends = piece.last && piece.flag == msrp::Flag::end;
  if (found == talk->open.end()) {
    if (piece.start > 1 || (piece.start == 0 && !piece.first)) return;  // its beginning is not there
    if (piece.last && piece.flag == msrp::Flag::abort) return;
    const bool all = piece.total == msrp::ByteRange::unknown || piece.total == piece.bytes.size();
    if (!talk->waits && ends && piece.bytes.size() <= config_->im.history.message_bytes_max) {  // most of them
      if (all && !piece.bytes.empty()) {
        record(id, Whole{.from = piece.from, .to = piece.to, .message_id = piece.message_id, .type = piece.type,
                         .body = piece.bytes, .size = piece.bytes.size()});
      }
      return;
    }
    if (talk->open.size() == recorded_open_max) {
      metrics_.add(Metric::history_given_up);
      forget(*talk, 0);
    }
    index = talk->open.size();
    talk->open.push_back({.from = piece.from,
                          .to = piece.to,
                          .number = piece.number,
                          .message_id = std::string(piece.message_id),
                          .type = std::string(piece.type),
                          .body = {}});
  }
  const std::uint64_t size = talk->open[index].size;
  const std::uint64_t start = piece.start == 0 ? size + 1 : piece.start;
  if (start > size + 1) {  // something is missing
    forget(*talk, index);
    return;
  }
  const std::uint64_t known = size + 1 - start;
  if (known < piece.bytes.size()) append(*talk, talk->open[index], piece.bytes.substr(known));
  if (!piece.last || piece.flag == msrp::Flag::more) return;
  Open& open = talk->open[index];
  const bool all = piece.total == msrp::ByteRange::unknown || piece.total == open.size;
  const bool whole = ends && all && open.size != 0 && !open.excluded;
  if (whole && talk->waits) {
    open.done = true;
    return;
  }
  if (whole) record(id, open);
  forget(*talk, index);
}

void HistoryRecorder::accept(TalkId id) {
  Talk* const talk = talks_.get(id);
  if (talk == nullptr || !std::exchange(talk->waits, false)) return;
  for (std::size_t i = 0; i < talk->open.size();) {
    if (!talk->open[i].done) {
      ++i;
      continue;
    }
    if (!talk->open[i].excluded) record(id, talk->open[i]);  // its bytes may have told so since (OMA-HIS-4)
    forget(*talk, i);
  }
}

void HistoryRecorder::record(TalkId id, const Open& message) {
  const std::string& message_id = message.imdn_id.empty() ? message.message_id : message.imdn_id;
  record(id, Whole{.from = message.from, .to = message.to, .message_id = message_id, .type = message.type,
                   .body = message.body, .size = message.size, .kept = message.kept});
}

void HistoryRecorder::drop(TalkId id, std::uint64_t from, std::string_view message_id) {
  Talk* const talk = talks_.get(id);
  if (talk == nullptr) return;
  for (std::size_t i = 0; i < talk->open.size(); ++i) {
    if (talk->open[i].from != from || talk->open[i].message_id != message_id) continue;
    forget(*talk, i);
    return;
  }
}

// A talk has no more than its share. Where the shard has no more for all, the talk that has most gives way, so that few large ones
// leave room for any other.
void HistoryRecorder::append(Talk& talk, Open& message, std::string_view bytes) {
  const HistoryConfig& config = config_->im.history;
  message.size += bytes.size();
  if (!message.kept) return;
  message.body += bytes;
  set_bytes(talk, talk.bytes + bytes.size());
  if (message.size > config.message_bytes_max) return leave_out(talk, message, Metric::history_left_out_large);
  const std::uint64_t share = std::max<std::uint64_t>(config.message_bytes_max, config.assembling_bytes_max / talk_share);
  while (talk.bytes > share) give_way(talk, Metric::history_left_out_share);
  while (assembling_bytes_ > config.assembling_bytes_max) {
    give_way(*talks_.get(TalkId::unpack(by_bytes_.rbegin()->second)), Metric::history_left_out_memory);
  }
}

// Of a talk that has some: what has waited longest, but what is whole last.
void HistoryRecorder::give_way(Talk& talk, Metric why) {
  const auto has = [](const Open& message) { return !message.body.empty(); };
  auto oldest = std::ranges::find_if(talk.open, [&](const Open& message) { return has(message) && !message.done; });
  if (oldest == talk.open.end()) oldest = std::ranges::find_if(talk.open, has);
  CHECK(oldest != talk.open.end());
  leave_out(talk, *oldest, why);
}

// What its beginning says is all that is needed of it.
void HistoryRecorder::leave_out(Talk& talk, Open& message, Metric why) {
  const Seen seen = look_at(message.type, message.body, false);
  message.excluded = seen.excluded;
  message.imdn_id = seen.imdn_id;
  message.kept = false;
  set_bytes(talk, talk.bytes - message.body.size());
  message.body = {};
  if (!message.excluded) metrics_.add(why);
}

void HistoryRecorder::forget(Talk& talk, std::size_t index) {
  set_bytes(talk, talk.bytes - talk.open[index].body.size());
  talk.open.erase(talk.open.begin() + static_cast<std::ptrdiff_t>(index));
}

void HistoryRecorder::set_bytes(Talk& talk, std::uint64_t bytes) {
  if (bytes == talk.bytes) return;
  if (talk.bytes != 0) by_bytes_.erase({talk.bytes, talk.self.packed()});
  if (bytes != 0) by_bytes_.emplace(bytes, talk.self.packed());
  assembling_bytes_ = assembling_bytes_ - talk.bytes + bytes;
  talk.bytes = bytes;
}

void HistoryRecorder::record(TalkId id, const Whole& said) {
  Talk& talk = *talks_.get(id);
  Whole whole = said;
  if (whole.kept) {
    const Seen seen = look_at(whole.type, whole.body, true);
    if (seen.excluded) return;
    if (!seen.imdn_id.empty()) whole.message_id = seen.imdn_id;
  }
  Body body;
  for (Track& track : talk.tracks) {
    const bool sent = track.party == whole.from;
    if (!sent && whole.to != 0 && whole.to != track.party) continue;
    if (!track.put) put(track, id);
    if (whole.kept && body == nullptr) body = std::make_shared<const std::string>(whole.body);
    add(track, whole, body, sent, now_.wall_ms);
  }
}

void HistoryRecorder::add(Track& track, const Whole& whole, const Body& body, bool sent, std::int64_t at_ms) {
  const HistoryConfig& config = config_->im.history;
  metrics_.add(Metric::history_messages);
  // Half an id would be that of another message.
  const std::string_view message_id = whole.message_id.size() <= text_bytes_max ? whole.message_id : std::string_view{};
  out_->store({store_token(StoreOwner::history, message_number),
               core::AddHistoryMessage{.row = {.record = track.row.id,
                                               .number = ++track.number,
                                               .at_ms = at_ms,
                                               .sent = sent,
                                               .message_id = std::string(message_id),
                                               .type = std::string(cut_type(whole.type, text_bytes_max)),
                                               .body = {},
                                               .size = whole.size,
                                               .kept = body != nullptr},
                                       .body = body,
                                       .aor = track.row.aor,
                                       .count_max = config.count_max,
                                       .bytes_max = config.bytes_max,
                                       .keep_old = config.keep_old}});
}

void HistoryRecorder::pager(Beginning beginning, const Message& message) {
  const Seen seen = look_at(message.type, message.body, true);
  if (!on() || seen.excluded || message.body.empty()) return;
  const bool kept = message.body.size() <= config_->im.history.message_bytes_max;
  if (!kept) metrics_.add(Metric::history_left_out_large);
  beginning.begun_by_owner = message.sent;
  Track track{.row = row_of(std::move(beginning), message.at_ms)};
  track.row.ended_ms = message.at_ms;
  put(track, {});
  add(track,
      {.from = 0, .to = 0, .message_id = seen.imdn_id, .type = message.type, .body = {}, .size = message.body.size()},
      kept ? std::make_shared<const std::string>(message.body) : nullptr, message.sent, message.at_ms);
}

// --- what the store says

void HistoryRecorder::on_stored(const core::StoreResult& result) {
  using Status = core::StoreResult::Status;
  const std::uint64_t number = store_number(result.token);
  changed_.insert(changed_.end(), result.users.begin(), result.users.end());
  if (number == look_number) {
    looking_ = false;
    metrics_.add(Metric::history_expired, result.removed);
    look_at_ = now_.mono + (result.more ? expired_look_pause : expired_look_every);
    return;
  }
  metrics_.add(Metric::history_removed, result.removed);
  if (number == message_number) {
    if (result.status == Status::full) metrics_.add(Metric::history_full);
    if (result.status == Status::refused) metrics_.add(Metric::history_refused);
    return;
  }
  if (const auto ended = ends_.find(number); ended != ends_.end()) {
    if (result.status == Status::done) {
      changed_.push_back(std::move(ended->second.aor));
    } else {
      metrics_.add(Metric::history_records_refused);
      if (again_.size() < again_max) again_.push_back(std::move(ended->second));
      if (again_at_ == core::never) again_at_ = now_.mono + again_pause;
    }
    ends_.erase(ended);
    return;
  }
  const auto asked = puts_.find(number);
  metrics_.add(result.status == Status::done ? Metric::history_records : Metric::history_records_refused);
  if (asked == puts_.end()) return;
  if (result.status != Status::done) {
    if (Talk* const talk = talks_.get(asked->second.talk)) {
      for (Track& track : talk->tracks) {
        if (track.row.id == asked->second.record) track.put = false;  // with the next message once more
      }
    }
  } else {
    changed_.push_back(std::move(asked->second.aor));
  }
  puts_.erase(asked);
}

bool HistoryRecorder::next_changed(std::string& aor) {
  if (changed_.empty()) return false;
  aor = std::move(changed_.front());
  changed_.pop_front();
  return true;
}

}  // namespace parley::policy
