// tools/parley/job.h - what one run of the program is about: which calls it makes of the client, which of its events it
// waits for, and with which status it ends.
//
// A value machine: events, lines of the user and time go in; lines to show and a status come out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tools/parley/client.h"
#include "tools/parley/settings.h"

namespace parley::client {

class Job {
 public:
  virtual ~Job() = default;
  virtual void start(Client& client, core::Instant now) = 0;
  virtual void on_event(Client& client, const Event& event) = 0;
  // A line that was typed; nothing: there are no more.
  virtual void on_line(Client&, const std::optional<std::string>&) {}
  // Interrupted.
  virtual void on_stop(Client& client) { client.stop(); }
  virtual void on_time(Client&, core::Instant) {}
  [[nodiscard]] virtual core::Instant deadline() const { return core::never; }

  // Set once it is over.
  [[nodiscard]] std::optional<int> status() const { return status_; }
  // What is to be shown, and forgotten by that: whole lines.
  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }
  [[nodiscard]] std::string take_complaint() { return std::exchange(complaint_, {}); }

 protected:
  void finish(int status) {
    if (!status_) status_ = status;
  }
  void show(std::string_view line) { output_.append(line).append("\n"); }
  void complain(std::string_view line) { complaint_.append("parley: ").append(line).append("\n"); }

 private:
  std::optional<int> status_;
  std::string output_;
  std::string complaint_;
};

// What a status of SIP or MSRP means for the program's own.
[[nodiscard]] int exit_of(std::uint64_t status);

// `body`: of send.
[[nodiscard]] std::unique_ptr<Job> make_job(const Settings& settings, std::shared_ptr<const ByteSource> body,
                                            std::optional<FileOffer> file);

}  // namespace parley::client
