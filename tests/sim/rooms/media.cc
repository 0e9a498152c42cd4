// tests/sim/rooms/media.cc - see media.h.
#include "tests/sim/rooms/media.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tests/sim/rooms/cpim.h"

namespace parley::sim::rooms {
namespace {

constexpr Duration tick_time = 10ms;
constexpr std::size_t window = 12;  // SENDs that wait for an answer

}  // namespace

// --- a connection

Line::Line(World& world, LineOwner& owner, Stream& stream, Side side, const MediaTraits& traits, std::uint32_t number)
    : world_(world), owner_(owner), stream_(stream), side_(side), traits_(traits), number_(number) {
  stream_.attach(side_, this);
}

Line::~Line() {
  *alive_ = false;
  if (!lost_) stream_.attach(side_, nullptr);
}

void Line::write(std::string bytes) {
  out_ += bytes;
  pump();
}

void Line::pump() {
  while (!lost_ && !out_.empty()) {
    std::uint64_t room = std::min<std::uint64_t>(stream_.room(side_), out_.size());
    if (traits_.write_per_tick != 0) {
      room = std::min(room, traits_.write_per_tick);
      if (ticking_) return;
      tick();
    }
    if (room == 0) return;
    std::string part = out_.substr(0, room);
    out_.erase(0, room);
    stream_.take(side_, room);
    stream_.put(side_, std::move(part));
  }
}

void Line::tick() {
  if (ticking_) return;
  ticking_ = true;
  world_.agenda.after(tick_time, [this, alive = alive_] {
    if (!*alive) return;
    ticking_ = false;
    pump();
    if (*alive) on_readable();
  });
}

void Line::pause(Duration time) {
  paused_until_ = world_.agenda.now() + time;
  world_.agenda.at(paused_until_, [this, alive = alive_] {
    if (*alive) on_readable();
  });
}

void Line::calm() {
  traits_.read_per_tick = traits_.write_per_tick = 0;
  paused_until_ = {};
  const auto alive = alive_;
  pump();
  if (*alive) on_readable();
}

void Line::on_readable() {
  if (lost_ || world_.agenda.now() < paused_until_) return;
  std::string bytes = stream_.read(side_, traits_.read_per_tick != 0 ? traits_.read_per_tick : ~std::uint64_t{0});
  const auto alive = alive_;
  for (const Frame& frame : reader_.feed(bytes)) {
    owner_.on_frame(*this, frame);
    if (!*alive || lost_) return;
  }
  if (!reader_.violation().empty()) return world_.journal.fail("bytes: the server sends %s", reader_.violation().c_str());
  if (stream_.at_end(side_)) {
    ended_ = true;
    return close();
  }
  if (traits_.read_per_tick != 0 && stream_.available(side_) != 0) tick();
}

void Line::abort() {
  if (lost_) return;
  if (!stream_.dead()) stream_.abort(side_);
  lose();
}

void Line::close() {
  if (lost_) return;
  stream_.close(side_);
  lose();
}

void Line::lose() {
  if (std::exchange(lost_, true)) return;
  stream_.attach(side_, nullptr);
  owner_.on_line_lost(*this);
}

// --- a session

Talk::Talk(World& world, Book& book, Rng& rng, Seat& seat, TalkOwner& owner, const MediaTraits& traits, std::string own)
    : world_(world), book_(book), rng_(rng), seat_(seat), owner_(owner), traits_(traits), own_(std::move(own)) {}

void Talk::fail(const std::string& what) {
  world_.journal.fail("seat %u (%s): %s", seat_.number, seat_.user.c_str(), what.c_str());
}

std::string Talk::fresh() { return "t" + std::to_string(seat_.number) + "x" + std::to_string(next_++) + "z"; }

std::string Talk::head(const std::string& tid, const char* method) const {
  return "MSRP " + tid + " " + method + "\r\nTo-Path: " + peer_ + "\r\nFrom-Path: " + own_ + "\r\n";
}

void Talk::take(Line* line, bool binds) {
  line_ = line;
  ++connections_;
  if (binds) {
    const std::string tid = fresh();
    pending_[tid] = {.binds = true};
    line_->write(head(tid, "SEND") + "Message-ID: " + fresh() + "\r\nByte-Range: 1-0/0\r\n-------" + tid + "$\r\n");
  } else {
    come_up();
  }
}

void Talk::forget_early_peer() {
  if (early_ && early_life_ != book_.server.life) peer_.clear(), early_ = false;
}

void Talk::come_up() {
  if (up_) return;
  up_ = true;
  owner_.on_up(*this);
  pump();
}

void Talk::lost() {
  line_ = nullptr;
  for (auto& [tid, pending] : pending_) {
    if (pending.said != nullptr && pending.said->status == 0) pending.said->unsure = true;
  }
  pending_.clear();
  for (Plan& plan : plans_) plan.said->unsure = true;
  stops_sending();
  plans_.clear();
  partial_.clear();
  const bool was = std::exchange(up_, false);
  (void)was;
  owner_.on_down(*this);
}

void Talk::stops_sending() {
  for (const auto& [place, one] : std::exchange(silent_, {})) one->unsure = true;
  for (const Plan& plan : plans_) {
    if (plan.said->failure != "yes") plan.said->unsure = true;
  }
}

void Talk::say(Plan plan) {
  plan.id = "m" + std::to_string(plan.said->number) + "-" + fresh();
  by_id_[plan.id] = plan.said;
  plans_.push_back(std::move(plan));
  pump();
}

void Talk::nickname(const std::string& name) {
  if (line_ == nullptr || !up_) return;
  const std::string tid = fresh();
  pending_[tid] = {.what = "NICKNAME " + name};
  line_->write(head(tid, "NICKNAME") + "Use-Nickname: \"" + name + "\"\r\n-------" + tid + "$\r\n");
}

void Talk::lie(const std::string& bytes, const std::string& tid) {
  if (line_ == nullptr || !line_->idle()) return;
  lies_.insert(tid);
  seat_.troubled = true;
  line_->write(bytes);
}

void Talk::pump() {
  const auto owed = [this] {
    return static_cast<std::size_t>(std::count_if(pending_.begin(), pending_.end(), [](const auto& p) { return p.second.answered; }));
  };
  while (up_ && line_ != nullptr && !plans_.empty() && owed() < window) {
    // Now and then another one comes between two chunks.
    if (plans_.size() > 1 && plans_.front().at != 0 && rng_.coin(1, 3)) std::swap(plans_[0], plans_[1]);
    Plan& plan = plans_.front();
    write_chunk(plan);
    if (line_ == nullptr) return;
    if (plan.said->complete || plan.said->aborted) plans_.pop_front();
  }
}

void Talk::write_chunk(Plan& plan) {
  Said& one = *plan.said;
  const std::size_t size = plan.bytes.size();
  const std::size_t take = std::min(plan.chunk == 0 ? size : plan.chunk, size - plan.at);
  const bool aborts = plan.abort_at != 0 && plan.at + take >= plan.abort_at;
  const bool last = plan.at + take == size && !aborts;
  const std::string tid = fresh();
  std::string text = head(tid, "SEND") + "Message-ID: " + plan.id + "\r\nByte-Range: " + std::to_string(plan.at + 1) + "-" +
                     (plan.star ? "*" : std::to_string(plan.at + take)) + "/" + std::to_string(size) + "\r\n";
  if (one.failure != "yes" || rng_.coin(1, 4)) text += "Failure-Report: " + one.failure + "\r\n";
  if (one.wants_success) text += "Success-Report: yes\r\n";
  text += "Content-Type: message/cpim\r\n\r\n" + plan.bytes.substr(plan.at, take) + "\r\n-------" + tid +
          (aborts ? "#" : last ? "$" : "+") + "\r\n";
  plan.at += take;
  ++written_;
  if (one.failure == "yes") pending_[tid] = {.said = &one, .last = last || aborts, .place = written_};
  if (one.failure == "partial") pending_[tid] = {.said = &one, .last = last || aborts, .answered = false};
  world_.journal.line("seat %u says %u, %zu of %zu%c", seat_.number, one.number, plan.at, size,
                      aborts ? '#' : last ? '$' : '+');
  if (aborts) one.aborted = true;
  if (last) {
    one.complete = true;
    one.turn = ++seat_.turns;
    if (one.failure != "yes") one.status = 200, one.answered = Instant::max(), silent_[written_] = &one;
  }
  line_->write(std::move(text));
}

void Talk::give_up(Said& one) {
  if (one.complete) return;
  one.aborted = true;
  std::erase_if(plans_, [&](const Plan& plan) { return plan.said == &one; });
}

void Talk::on_frame(const Frame& frame) {
  const std::string* const mid = frame.header("Message-ID");
  world_.journal.line("seat %u <- %s %s %llu+%zu%c %s", seat_.number, frame.tid.c_str(),
                      frame.request ? frame.method.c_str() : std::to_string(frame.status).c_str(),
                      static_cast<unsigned long long>(frame.start), frame.body.size(), frame.flag,
                      mid == nullptr ? "" : mid->c_str());
  if (!frame.request || frame.has_body || frame.method != "SEND") seat_.known = std::min(seat_.known, world_.agenda.now());
  if (!frame.request) return take_answer(frame);
  if (frame.to_path != std::vector<std::string>{own_}) return fail("a request to " + frame.to_path.front());
  forget_early_peer();
  if (peer_.empty()) peer_ = frame.from_path.front(), early_ = true, early_life_ = book_.server.life;
  if (frame.from_path != std::vector<std::string>{peer_}) return fail("a request from " + frame.from_path.front());
  if (frame.method == "SEND") return take_send(frame);
  if (frame.method == "REPORT") return take_report(frame);
  fail("a " + frame.method);
}

void Talk::answer(const Frame& frame, int status) {
  if (line_ == nullptr) return;
  line_->write("MSRP " + frame.tid + " " + std::to_string(status) + " OK\r\nTo-Path: " + frame.from_path[0] +
               "\r\nFrom-Path: " + own_ + "\r\n-------" + frame.tid + "$\r\n");
}

void Talk::take_send(const Frame& frame) {
  const std::string* const failure = frame.header("Failure-Report");
  const std::string* const id = frame.header("Message-ID");
  if (id == nullptr) return fail("a SEND without Message-ID");
  const bool wants = failure == nullptr || *failure == "yes";
  int status = wants ? 200 : 0;
  const bool body = frame.has_body && !frame.body.empty();
  Partial& part = partial_[*id];
  if (frame.start == 1) part = {};  // from the beginning: it has fallen behind in the middle
  if (body || part.bytes.size() != 0 || frame.flag == '#') {
    if (frame.start != part.bytes.size() + 1 && frame.flag != '#')
      return fail("bytes: a chunk that begins at " + std::to_string(frame.start) + ", not at " +
                  std::to_string(part.bytes.size() + 1) + ", of " + *id);
    if (rng_.permille(traits_.mute_permille)) status = 0, ++world_.journal.faults, seat_.troubled = true;
    else if (wants && rng_.permille(traits_.refuse_permille)) status = 413, ++world_.journal.faults, part.refused = true;
  }
  part.bytes += frame.body;
  if (status != 0) {
    const Duration late = rng_.coin(1, 3) ? traits_.answer_max : Duration{};
    if (late == Duration{}) answer(frame, status);
    else
      world_.agenda.after(late, [this, frame, status, line = line_, connection = connections_] {
        if (line_ == line && connection == connections_) answer(frame, status);
      });
  }
  if (part.refused) book_.refused_by(seat_, part.bytes);
  if (frame.flag == '+') return;
  const Partial whole = std::move(part);
  partial_.erase(*id);
  if (frame.flag == '#') return;
  if (whole.bytes.empty()) return;  // it only binds
  if (frame.total && *frame.total != whole.bytes.size())
    return fail("bytes: " + std::to_string(whole.bytes.size()) + " of " + std::to_string(*frame.total));
  take_whole(frame, whole.bytes);
}

void Talk::take_whole(const Frame& frame, const std::string& body) {
  Cpim cpim;
  if (const std::string wrong = read_cpim(body, cpim); !wrong.empty()) return fail("bytes: CPIM " + wrong + ": " + body.substr(0, 300));
  const std::string& id = *frame.header("Message-ID");
  book_.arrived(seat_, {id, cpim.from, cpim.to, cpim.content, connections_});
  if (world_.journal.failed()) return;
  const std::string* const success = frame.header("Success-Report");
  if (success != nullptr && *success == "yes") {
    const std::string tid = fresh();
    const std::string size = std::to_string(body.size());
    if (line_ != nullptr)
      line_->write(head(tid, "REPORT") + "Message-ID: " + id + "\r\nByte-Range: 1-" + size + "/" + size +
                   "\r\nStatus: 000 200 OK\r\n-------" + tid + "$\r\n");
  }
}

void Talk::take_report(const Frame& frame) {
  const auto found = by_id_.find(*frame.header("Message-ID"));
  // Of what was no message: it has said that it is there, or lied.
  if (frame.header("Message-ID")->starts_with("t" + std::to_string(seat_.number) + "x")) {
    if (frame.header("Status")->starts_with("000 200")) fail("a good REPORT about nothing that was said");
    return;
  }
  // What this device has said before it came back is still its own: the other one of two speaks of it, and so does a group
  // when the last of it has answered.
  if (found == by_id_.end() && seat_.room != nullptr) {
    const std::string& id = *frame.header("Message-ID");
    const auto number = id.starts_with('m') ? static_cast<std::size_t>(std::atoi(id.c_str() + 1)) : std::size_t{0};
    const bool own = number != 0 && number <= book_.said.size() && book_.said[number - 1]->by->agent == seat_.agent;
    if (!own) fail("a REPORT about what another device has said: " + id);
    return;
  }
  if (found == by_id_.end()) return fail("a REPORT about nothing: " + *frame.header("Message-ID"));
  Said& one = *found->second;
  const bool good = frame.header("Status")->starts_with("000 200");
  if (good && !one.wants_success) return fail("a good REPORT that nobody wants");
  if (!good && one.failure == "no") return fail("a bad REPORT that nobody wants");
  if (good && one.aborted) return fail("a good REPORT about what was aborted");
  (good ? one.good_reports : one.bad_reports) += 1;
  world_.journal.line("seat %u has a REPORT about %u: %s", seat_.number, one.number, frame.header("Status")->c_str());
}

void Talk::take_answer(const Frame& frame) {
  const auto found = pending_.find(frame.tid);
  if (found == pending_.end()) {
    if (!lies_.contains(frame.tid)) fail("a response to nothing: " + frame.tid + " " + std::to_string(frame.status));
    return;
  }
  const Pending pending = found->second;
  pending_.erase(found);
  if (pending.binds) {
    if (frame.status == 200) return come_up();
    owner_.on_status(*this, "bind", frame.status);
    return;
  }
  if (frame.status != 200 && seat_.life == book_.server.life) ++book_.told_refusals;
  if (!pending.what.empty()) {
    owner_.on_status(*this, pending.what, frame.status);
    return pump();
  }
  Said& one = *pending.said;
  if (!pending.answered && frame.status == 200) return fail("a 200 that nobody wants");
  if (frame.status == 200) silent_.erase(silent_.begin(), silent_.upper_bound(pending.place));
  if (frame.status != 200) {
    world_.journal.line("message %u is answered %d", one.number, frame.status);
    ++book_.refused;
    if (one.status == 0 || one.status == 200) one.status = frame.status;
    give_up(one);
    if (frame.status == 481) owner_.on_status(*this, "session", 481);
  } else if (pending.last && one.status == 0) {
    one.status = 200;
    one.answered = world_.agenda.now();
  }
  if (one.barred && one.status == 200 && pending.last) return fail("authority: what must be refused is answered 200");
  pump();
}

}  // namespace parley::sim::rooms
