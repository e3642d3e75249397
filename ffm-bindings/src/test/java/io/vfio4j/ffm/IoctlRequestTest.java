// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class IoctlRequestTest {
    @Test
    void shouldEncodeDirectionSizeTypeAndNumber() {
        assertThat(IoctlRequest.none(0xae, 0x80)).isEqualTo(0xae80);
        assertThat(IoctlRequest.read(0xae, 0x81, 144)).isEqualTo(0x8090_ae81L);
        assertThat(IoctlRequest.write(0xae, 0x42, 16)).isEqualTo(0x4010_ae42L);
        assertThat(IoctlRequest.readWrite('f', 16, 96)).isEqualTo(0xc060_6610L);
    }

    @Test
    void shouldRefuseWhatDoesNotFit() {
        assertThat(IoctlRequest.read(0xff, 0xff, 0x3fff)).isEqualTo(0xbfff_ffffL);
        assertThatThrownBy(() -> IoctlRequest.read(0x100, 0, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> IoctlRequest.write(0, -1, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> IoctlRequest.readWrite(0, 0, 0x4000))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("no ioctl request: type 0, number 0, size 16384");
    }
}
