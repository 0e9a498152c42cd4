// tests/policy/room_world.h - a room, its members, and the network between them: legs that take as much as they are
// told, break, and answer what the test wants.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "policy/far_legs.h"
#include "policy/guest_legs.h"
#include "policy/room.h"
#include "policy/room_legs.h"

namespace parley::tests {

using namespace parley::policy;
using msrp::EndFact;
using msrp::EndHandle;
using msrp::Ends;
using msrp::EndSend;
using msrp::Flag;

inline const std::string room_uri = "sip:room@example.org";

// A SEND as a member gets it.
struct Frame {
  std::string headers, message_id, body;
  std::uint64_t start = 0, total = 0, mark = 0;
  Flag flag = Flag::end;
  bool tell_200 = false;
  msrp::FailureReport failure = msrp::FailureReport::yes;
};

struct Report {
  std::string message_id, headers;
  msrp::ByteRange range;
  std::uint16_t status = 0;
};

// What is on the other side of a leg: it reads when it is told to, puts messages together, and answers.
struct Phone {
  EndHandle end;
  EndHandle named;  // as the room knows it: `end`, or another when it is on another shard
  bool connected = false;
  bool closed = false;
  bool keeps_up = true;        // reads at once
  std::uint16_t answer = 200;  // to each SEND; 0: none
  std::uint64_t queue_max = 256 * 1024;
  std::uint64_t waiting = 0;
  bool wants_writable = false;
  bool refused = false;            // its session cannot be opened
  std::unique_ptr<msrp::EndPeer> peer;  // elsewhere: what its session was told of the other side
  int holds = 0;
  std::deque<Frame> queue;    // written and not read
  std::vector<Frame> frames;  // read
  std::map<std::string, std::string> open;
  std::vector<std::string> messages;  // whole ones, in the order in which they became whole
  std::vector<std::string> ids;       // of these
  std::vector<std::string> aborted;
  std::vector<Report> reports;
  std::vector<std::uint16_t> answers;  // to what it has sent
};

inline std::string id_in(const std::string& headers) {
  const std::size_t at = headers.find("Message-ID: ");
  return at == std::string::npos ? "" : headers.substr(at + 12, headers.find('\r', at) - at - 12);
}

class FakeLegs final : public RoomLegs {
 public:
  explicit FakeLegs(core::Pool& pool) : pool_(pool) {}

  Phone& add() {
    phones.push_back(std::make_unique<Phone>());
    phones.back()->end = phones.back()->named = {static_cast<std::uint32_t>(phones.size() - 1), 1};
    return *phones.back();
  }
  Phone* find(EndHandle end) {
    if (end.index >= phones.size() || !end.valid() || phones[end.index]->closed) return nullptr;
    return phones[end.index].get();
  }

  void close(EndHandle end) override {
    if (Phone* phone = find(end); phone != nullptr) {
      phone->closed = true;
      phone->connected = false;
    }
  }
  void answer(EndHandle end, msrp::EndToken&, std::uint16_t status) override {
    if (Phone* phone = find(end); phone != nullptr) phone->answers.push_back(status);
  }
  Ends::Sent send(EndHandle end, const EndSend& message) override {
    Phone* phone = find(end);
    if (phone == nullptr || !phone->connected) return Ends::Sent::gone;
    const std::uint64_t size = 200 + message.prefix.size() + message.body.length;
    if (message.source.valid() && phone->waiting * 2 > phone->queue_max) held_for.push_back({message.source, end});
    if (phone->waiting + size > phone->queue_max && !message.source.valid()) {
      phone->wants_writable = true;
      return Ends::Sent::full;
    }
    phone->waiting += size;
    Frame frame;
    if (record) {
      frame.headers = message.headers;
      frame.message_id = id_in(frame.headers);
      frame.body = message.prefix;
      if (message.body.length != 0) frame.body += pool_.view(message.body);
    }
    frame.start = message.start;
    frame.total = message.total;
    frame.mark = message.mark;
    frame.flag = message.flag;
    frame.tell_200 = message.tell_200;
    frame.failure = message.failure;
    if (record) phone->queue.push_back(std::move(frame));
    return Ends::Sent::sent;
  }
  void fan_out(std::span<const EndHandle> ends, const EndSend& message, std::vector<Ends::NotSent>& not_sent) override {
    ++fan_outs;
    for (const EndHandle end : ends) {
      if (const Ends::Sent sent = send(end, message); sent != Ends::Sent::sent) not_sent.push_back({end, sent});
    }
  }
  void report(EndHandle end, std::string_view message_id, const msrp::ByteRange& range, std::uint16_t status,
              std::string_view headers) override {
    if (Phone* phone = find(end); phone != nullptr) {
      phone->reports.push_back({std::string(message_id), std::string(headers), range, status});
    }
  }
  [[nodiscard]] std::uint64_t waiting_bytes(EndHandle end) const override {
    return end.index < phones.size() ? phones[end.index]->waiting : 0;
  }
  void hold(EndHandle end) override { ++phones[end.index]->holds; }
  void release(EndHandle end) override { --phones[end.index]->holds; }
  std::vector<std::unique_ptr<Phone>> phones;
  std::vector<std::pair<EndHandle, EndHandle>> held_for;
  int fan_outs = 0;
  bool record = true;

 private:
  core::Pool& pool_;
};

inline std::string cpim(const std::string& from, const std::string& to, const std::string& content,
                        const std::string& type = "text/plain") {
  return "From: <" + from + ">\r\nTo: <" + to +
         ">\r\nDateTime: 2009-03-02T15:02:31-03:00\r\n\r\nContent-Type: " + type + "\r\n\r\n" + content;
}

// A second shard, where every other phone has its session, and the mail between the two. Both use one pool.
class TwoShards {
 public:
  TwoShards(FakeLegs& legs, core::Pool& pool, core::Metrics& metrics, const RoomConfig& config)
      : pool_(pool),
        media_(legs),
        home_post(0, 2, pool),
        there_post(1, 2, pool),
        far(legs, home_post, metrics),
        guests(legs, media_, there_post, config.hold_high_bytes) {}

  void open(Phone& phone) {
    phone.named = far.open(1, std::to_string(phone.end.index), "msrp://example.org:2855/far;tcp");
  }
  // What was written until now leaves.
  void flush() {
    now_ += LegPost::answers_wait;  // nothing waits for more of its kind
    home_post.flush(home_out_, now_);
    there_post.flush(there_out_, now_);
    home_post.flush(home_out_, now_ + LegPost::answers_wait);
    there_post.flush(there_out_, now_ + LegPost::answers_wait);
    take(home_out_, to_there_);
    take(there_out_, to_home_);
  }
  // The oldest mail arrives. False: there was none.
  bool there_reads(const core::Now& now) {
    flush();
    guests.begin(now);
    if (!arrives(to_there_, there_post, 0)) return false;
    for (LegPost::Incoming record; there_post.next(record);) guests.on_record(record);
    guests.expire();
    flush();
    return true;
  }
  bool home_reads(Rooms& rooms) {
    flush();
    const bool came = arrives(to_home_, home_post, 1);
    for (LegPost::Incoming record; home_post.next(record);) {
      far.on_record(record);
      facts(rooms);
    }
    facts(rooms);
    flush();
    return came;
  }

 private:
  void facts(Rooms& rooms) {
    for (EndFact fact; far.next_fact(fact);) (void)rooms.on_fact(fact);
  }
  static void take(core::Outbox& out, std::deque<core::ShardMail>& mails) {
    for (core::ShardMail& mail : out.mails()) {
      EXPECT_TRUE(mail.kept);
      mails.push_back(std::move(mail));
    }
    out.clear();
  }
  bool arrives(std::deque<core::ShardMail>& mails, LegPost& post, std::uint32_t from) {
    if (mails.empty()) return false;
    core::ShardMail mail = std::move(mails.front());
    mails.pop_front();
    core::Input input;
    input.kind = core::Input::Kind::mail;
    input.from_shard = from;
    input.slice = {pool_.adopt_heap(mail.bytes.release(), mail.length, true), 0, mail.length};
    EXPECT_TRUE(LegPost::is_ours(pool_.view(input.slice)));
    post.take(input);
    pool_.release(input.slice.buffer);
    return true;
  }
  class Media final : public SessionMedia {
   public:
    explicit Media(FakeLegs& legs) : legs_(legs) {}
    [[nodiscard]] bool serves(bool) const override { return true; }
    [[nodiscard]] EndHandle open(bool, std::uint64_t) override { return {}; }
    [[nodiscard]] EndHandle open_named(std::string_view id, std::string_view) override {
      const auto index = static_cast<std::uint32_t>(std::stoul(std::string(id)));
      return legs_.phones[index]->refused ? EndHandle{} : legs_.phones[index]->end;
    }
    [[nodiscard]] std::string_view uri(EndHandle) const override { return {}; }
    bool connect(EndHandle end, const msrp::EndPeer& peer) override {
      legs_.phones[end.index]->peer = std::make_unique<msrp::EndPeer>(peer);
      return true;
    }
    bool change_peer(EndHandle end, const msrp::EndPeer& peer) override { return connect(end, peer); }
    void close(EndHandle) override {}

   private:
    FakeLegs& legs_;
  };

  core::Pool& pool_;
  core::Instant now_ = core::Instant{} + std::chrono::seconds(1);
  Media media_;
  core::Outbox home_out_{pool_};
  core::Outbox there_out_{pool_};
  std::deque<core::ShardMail> to_there_;
  std::deque<core::ShardMail> to_home_;

 public:
  LegPost home_post;
  LegPost there_post;
  FarLegs far;
  GuestLegs guests;
};

// Where the members' sessions are.
enum class Spread : std::uint8_t {
  one_shard,
  at_once,  // every other one on another shard, and mail arrives before anything else happens
  late,     // the same, and mail to it arrives when the test says; what comes home from a sender does at once
};

class RoomWorld {
 public:
  explicit RoomWorld(RoomConfig config = {}, Spread spread = Spread::one_shard)
      : random_(core::Seed{}),
        spread_(spread),
        legs(pool_),
        shards(spread == Spread::one_shard ? nullptr : std::make_unique<TwoShards>(legs, pool_, metrics, config)),
        rooms({pool_, metrics, random_, shards == nullptr ? static_cast<RoomLegs&>(legs) : shards->far,
               std::make_shared<RoomConfig>(config)}) {
    advance(std::chrono::seconds(1));
  }
  ~RoomWorld() {
    while (mail_arrives()) {
    }
    EXPECT_EQ(pool_.live_blocks(), blocks_at_rest) << "blocks are left";
  }

  [[nodiscard]] static bool is_elsewhere(const Phone& phone) { return is_far(phone.named); }
  // One mail each way. False: there was none.
  bool mail_arrives() {
    if (shards == nullptr) return false;
    const bool there = shards->there_reads(now_);
    const bool home = shards->home_reads(rooms);
    return there || home;
  }
  bool mail_arrives_there() { return shards != nullptr && shards->there_reads(now_); }
  bool mail_arrives_home() { return shards != nullptr && shards->home_reads(rooms); }
  void all_mail_arrives() {
    while (mail_arrives()) {
    }
  }
  // What happened on a session becomes a fact, here or there.
  bool give(EndFact& fact, Phone& phone) {
    if (!is_elsewhere(phone)) {
      fact.end = phone.named;
      const bool known = rooms.on_fact(fact);
      if (spread_ == Spread::at_once) all_mail_arrives();
      return known;
    }
    fact.end = phone.end;
    const bool known = shards->guests.on_fact(fact);
    if (spread_ == Spread::at_once) all_mail_arrives();
    return known;
  }

  static RoomTraits group() {
    RoomTraits traits;
    traits.identity = "sip:room@example.org";
    return traits;
  }
  RoomHandle open(RoomTraits traits = group()) {
    room = rooms.open(std::move(traits));
    return room;
  }

  static Member member(const std::string& name) {
    Member about;
    about.uri = "sip:" + name + "@example.org";
    about.device = name;
    return about;
  }
  struct Seat {
    Phone* phone = nullptr;
    MemberHandle handle;
    JoinResult result = JoinResult::no_room;
    std::string uri;
    std::string nickname;
  };
  Seat join(Member about, bool connect = true) {
    Phone& phone = legs.add();
    if (shards != nullptr && legs.phones.size() % 2 == 0) {
      shards->open(phone);
      // Nobody is connected before his description has come, and that is here.
      all_mail_arrives();
    }
    about.end = phone.named;
    const Rooms::Joined joined = rooms.join(room, about);
    if (connect && joined.member.valid()) connected(phone);
    return {&phone, joined.member, joined.result, about.uri, joined.nickname};
  }
  Seat join(const std::string& name, bool connect = true) { return join(member(name), connect); }

  void connected(Phone& phone) {
    phone.connected = true;
    fact(EndFact::Kind::connected, phone);
  }
  void lose(Phone& phone) {
    phone.connected = false;
    phone.queue.clear();
    phone.waiting = 0;
    phone.open.clear();
    fact(EndFact::Kind::closed, phone);
  }
  bool fact(EndFact::Kind kind, Phone& phone) {
    EndFact fact;
    fact.kind = kind;
    return give(fact, phone);
  }

  struct Send {
    std::string id = "m1";
    std::string body{};
    std::string type = "message/cpim";
    std::string headers{};  // further lines, with CRLF
    std::uint64_t start = 1;
    std::uint64_t total = msrp::ByteRange::unknown;
    bool range = true;
    Flag flag = Flag::end;
    std::vector<std::size_t> cuts{};  // pieces that the SEND comes in
  };
  // A SEND, and what it was answered (0: nothing yet).
  std::uint16_t sends(const Seat& from, const Send& send) {
    const std::size_t before = from.phone->answers.size();
    const std::uint64_t refused = count(core::Metric::room_bad_to);
    // Else it would be answered after what is asked about it.
    const bool asks_home = spread_ == Spread::late && is_elsewhere(*from.phone);
    const std::uint64_t end = send.start - 1 + send.body.size();
    std::string text =
        "MSRP a786hjs2 SEND\r\nTo-Path: msrp://s.example.org:2855/x;tcp\r\nFrom-Path: msrp://c.example.org:7/y;tcp\r\n";
    if (!send.id.empty()) text += "Message-ID: " + send.id + "\r\n";
    if (send.range) {
      text += "Byte-Range: " + std::to_string(send.start) + "-" + std::to_string(end) + "/" +
              (send.total == msrp::ByteRange::unknown ? "*" : std::to_string(send.total)) + "\r\n";
    }
    text += send.headers + "Content-Type: " + send.type + "\r\n\r\n";
    msrp::HeadParser parser;
    EXPECT_EQ(parser.parse(text, {}, nullptr), msrp::Progress::done) << text;
    std::size_t at = 0;
    std::vector<std::size_t> cuts = send.cuts;
    cuts.push_back(send.body.size());
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      const std::string piece = send.body.substr(at, cuts[i] - at);
      EndFact fact;
      fact.kind = EndFact::Kind::piece;
      fact.first = i == 0;
      fact.last = i + 1 == cuts.size();
      fact.flag = send.flag;
      fact.head = &parser.head();
      fact.head_bytes = text;
      fact.start = send.start + at;
      fact.total = fact.last && send.flag == Flag::end ? end : send.total;
      fact.message_id = send.id;
      core::BufferId block = core::no_buffer;
      if (!piece.empty()) {
        block = pool_.take_heap(static_cast<std::uint32_t>(piece.size()));
        std::memcpy(pool_.data(block), piece.data(), piece.size());
        fact.body = {block, 0, static_cast<std::uint32_t>(piece.size())};
      }
      EXPECT_TRUE(give(fact, *from.phone));
      while (asks_home && shards->home_reads(rooms)) {
      }
      pull();
      if (block != core::no_buffer) {
        std::memset(pool_.data(block), 0xdb, piece.size());  // as a receive buffer that is used again
        pool_.release(block);
      }
      at = cuts[i];
      deliver();
      if (asks_home && count(core::Metric::room_bad_to) != refused) return 404;
      if (from.phone->answers.size() > before && from.phone->answers.back() != 200) break;
    }
    if (asks_home) return 200;
    return from.phone->answers.size() > before ? from.phone->answers.back() : 0;
  }
  // A whole text to everybody.
  std::uint16_t says(const Seat& from, const std::string& id, const std::string& content,
                     const std::string& headers = "") {
    return sends(from, {.id = id, .body = cpim(from.uri, "sip:room@example.org", content), .headers = headers});
  }
  std::uint16_t asks_nickname(const Seat& from, const std::string& nickname) {
    const std::string text =
        "MSRP a786hjs2 NICKNAME\r\nTo-Path: msrp://s.example.org:2855/x;tcp\r\n"
        "From-Path: msrp://c.example.org:7/y;tcp\r\nUse-Nickname: \"" +
        nickname + "\"\r\n-------a786hjs2$\r\n";
    msrp::HeadParser parser;
    EXPECT_EQ(parser.parse(text, {}, nullptr), msrp::Progress::done);
    EndFact fact;
    fact.kind = EndFact::Kind::nickname;
    fact.head = &parser.head();
    fact.head_bytes = text;
    fact.nickname = nickname;
    EXPECT_TRUE(give(fact, *from.phone));
    return from.phone->answers.back();
  }

  // Everybody who keeps up reads what there is.
  void deliver() {
    for (bool again = true; again;) {
      again = false;
      if (spread_ == Spread::at_once) all_mail_arrives();
      for (std::size_t i = 0; i < legs.phones.size(); ++i) {
        Phone& phone = *legs.phones[i];
        while (phone.keeps_up && !phone.queue.empty()) {
          read_one(phone);
          again = true;
        }
      }
    }
  }
  void read_one(Phone& phone) {
    Frame frame = std::move(phone.queue.front());
    phone.queue.pop_front();
    phone.waiting -= 200 + frame.body.size();
    if (frame.flag == Flag::abort) {
      phone.aborted.push_back(frame.message_id);
      phone.open.erase(frame.message_id);
    } else {
      std::string& open = phone.open[frame.message_id];
      if (frame.start == 1) open.clear();  // whole again
      EXPECT_EQ(frame.start, open.size() + 1) << "a chunk is missing or comes twice";
      open += frame.body;
      if (frame.flag == Flag::end) {
        EXPECT_EQ(frame.total, open.size());
        phone.messages.push_back(open);
        phone.ids.push_back(frame.message_id);
        phone.open.erase(frame.message_id);
      }
    }
    const std::uint64_t mark = frame.mark;
    const bool answered = phone.answer != 0 && frame.failure != msrp::FailureReport::no &&
                          (phone.answer != 200 || (frame.tell_200 && frame.failure == msrp::FailureReport::yes));
    phone.frames.push_back(std::move(frame));
    if (answered) answers(phone, mark, phone.answer);
    if (phone.wants_writable && phone.waiting * 2 <= phone.queue_max) {
      phone.wants_writable = false;
      fact(EndFact::Kind::writable, phone);
    }
  }
  void answers(Phone& phone, std::uint64_t mark, std::uint16_t status) {
    EndFact answer;
    answer.kind = EndFact::Kind::answered;
    answer.mark = mark;
    answer.status = status;
    (void)give(answer, phone);
  }
  void reports(Phone& phone, const std::string& message_id, std::uint16_t status) {
    EndFact report;
    report.kind = EndFact::Kind::report;
    report.message_id = message_id;
    report.status = status;
    report.range = {1, 10, 10};
    (void)give(report, phone);
  }

  void advance(core::Duration time) {
    now_.mono += time;
    now_.wall_ms += time / std::chrono::milliseconds(1);
    rooms.begin(now_);
    if (shards != nullptr) shards->far.begin(now_);
    rooms.expire();
    deliver();
    pull();
  }
  void pull() {
    RoomFact fact;
    while (rooms.next_fact(fact)) {
      if (fact.kind == RoomFact::Kind::recorded && fact.body.buffer != core::no_buffer) {
        fact.message_id += "|" + std::string(pool_.view(fact.body));
      }
      facts.push_back(fact);
    }
  }
  std::vector<RoomFact> of_kind(RoomFact::Kind kind) {
    pull();
    std::vector<RoomFact> found;
    for (const RoomFact& fact : facts) {
      if (fact.kind == kind) found.push_back(fact);
    }
    return found;
  }
  std::uint64_t count(core::Metric metric) const { return metrics.get(metric); }
  void end_all() {
    rooms.end(room);
    all_mail_arrives();
    pull();
  }
  core::Pool& pool() { return pool_; }

  core::Metrics metrics;
  RoomHandle room;
  std::vector<RoomFact> facts;
  std::uint64_t blocks_at_rest = 0;

 private:
  core::Pool pool_{core::Pool::Config{.small_count = 1, .large_count = 1, .arena_count = 1}};
  core::Random random_;
  core::Now now_;
  Spread spread_ = Spread::one_shard;

 public:
  FakeLegs legs;
  std::unique_ptr<TwoShards> shards;
  Rooms rooms;
};

}  // namespace parley::tests
