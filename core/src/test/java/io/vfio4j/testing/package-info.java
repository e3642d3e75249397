// SPDX-License-Identifier: Apache-2.0
/** What tests of any module can use: a check for leaks, and system calls that a test can answer itself. */
@NullMarked
package io.vfio4j.testing;

import org.jspecify.annotations.NullMarked;
