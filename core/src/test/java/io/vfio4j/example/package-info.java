// SPDX-License-Identifier: Apache-2.0
/** What a virtual machine monitor writes itself, as it would: compiled and run as a test. */
@NullMarked
package io.vfio4j.example;

import org.jspecify.annotations.NullMarked;
