// tests/sim/sip/cells.h - which rows of the tables of transactions and calls the server's machines have taken, over
// many runs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sip/call_rows.h"
#include "sip/transactions.h"

namespace parley::sim::sip {

class Cells {
 public:
  Cells();

  // What these machines have done so far.
  void add(const parley::sip::Transactions& transactions);
  void add(const parley::sip::CallRows& rows);
  // "INVITE server / Proceeding / ACK", a line for each row that may be taken and was not.
  [[nodiscard]] std::vector<std::string> unvisited() const;
  // How many machines took each row; for who wants to know how rare it is.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, std::string>> counts() const;

 private:
  struct Seen {
    std::string name;
    std::uint64_t machines = 0;
  };
  std::vector<Seen> transactions_;  // rows that may be taken, in the order of their tables
  std::vector<Seen> calls_;
};

// A row that was taken although only the server's own code could have asked for it, and ought not to; "" when there is
// none.
[[nodiscard]] std::string idle_row(const parley::sip::Transactions& transactions);
[[nodiscard]] std::string idle_row(const parley::sip::CallRows& rows);

}  // namespace parley::sim::sip
