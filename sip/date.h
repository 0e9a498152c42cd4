// sip/date.h - the Date header's value (RFC 3261 section 20.17).
#pragma once

#include <cstdint>
#include <string>

namespace parley::sip {

// Appends "Sat, 13 Nov 2010 23:29:00 GMT" for a Unix time.
void put_date(std::string& out, std::int64_t wall_ms);

}  // namespace parley::sip
