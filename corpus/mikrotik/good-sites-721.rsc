# 2026-06-15 12:00:00 by RouterOS 7.21.4
# software id = KNR1-0006
#
# model = RB5009UG+S+
# serial number = HE000000006
/interface bridge
add name=bridge1
/interface list
add name=WAN
add name=LAN
add name=SITES
/interface wireguard
add listen-port=13231 mtu=1420 name=wg-annex private-key=\
    "KANARIwgprivatekeyCCCCCCCCCCCCCCCCCCCCCCCCC="
/ip ipsec profile
add dh-group=ecp384 enc-algorithm=aes-256 hash-algorithm=sha384 name=strong
/ip ipsec peer
add address=198.51.100.40/32 exchange-mode=ike2 name=head-office passive=yes \
    profile=strong
/ip ipsec proposal
set [ find default=yes ] auth-algorithms=sha256 enc-algorithms=aes-256-cbc \
    pfs-group=ecp384
/system logging action
add name=loghost remote=10.20.0.5 target=remote
/interface bridge port
add bridge=bridge1 interface=ether2
/interface list member
add interface=ether1 list=WAN
add interface=bridge1 list=LAN
add interface=wg-annex list=SITES
/interface wireguard peers
add allowed-address=10.40.0.10/32,10.40.0.11/32 interface=wg-annex name=annex \
    preshared-key="KANARIwgpresharedkeyDDDDDDDDDDDDDDDDDDDDDDD=" public-key=\
    "EEEEwgpublickeyofannexEEEEEEEEEEEEEEEEEEEEEE="
/ip neighbor discovery-settings
set discover-interface-list=LAN
/ip address
add address=10.20.0.1/24 interface=bridge1 network=10.20.0.0
add address=203.0.113.66/29 interface=ether1 network=203.0.113.64
add address=10.40.255.1/30 interface=wg-annex network=10.40.255.0
/ip dns
set servers=203.0.113.53
/ip firewall address-list
add address=198.51.100.40 list=peers
add address=198.51.100.41 list=peers
/ip firewall filter
add action=accept chain=input connection-state=established,related,untracked
add action=accept chain=input dst-port=500,4500,13231 log=yes protocol=udp \
    src-address-list=peers
add action=accept chain=input log=yes protocol=ipsec-esp src-address-list=peers
add action=drop chain=input in-interface-list=!LAN log=yes
add action=accept chain=forward connection-state=established,related,untracked
add action=accept chain=forward dst-address=10.20.0.30 dst-port=443 in-interface=\
    wg-annex log=yes protocol=tcp
add action=accept chain=forward dst-address=10.20.0.30 dst-port=443 ipsec-policy=\
    in,ipsec log=yes protocol=tcp src-address=10.30.0.7
add action=accept chain=forward in-interface-list=LAN
add action=drop chain=forward log=yes
/ip firewall nat
add action=masquerade chain=srcnat ipsec-policy=out,none out-interface-list=WAN
add action=dst-nat chain=dstnat comment="maker console" disabled=yes dst-port=8443 \
    in-interface-list=WAN protocol=tcp to-addresses=10.20.0.30
/ip ipsec identity
add peer=head-office secret=KANARI-9vK2mX7qLw4Tz8Rb1Nc5Hd3
/ip ipsec policy
set 0 disabled=yes
add dst-address=10.30.0.7/32 peer=head-office src-address=10.20.0.30/32 tunnel=yes
/ip route
add dst-address=0.0.0.0/0 gateway=203.0.113.65
add dst-address=10.40.0.0/24 gateway=wg-annex
/ip service
set ftp disabled=yes
set ssh disabled=yes
set telnet disabled=yes
set www disabled=yes
set winbox address=10.20.0.8/29
set api disabled=yes
set api-ssl disabled=yes
/ipv6 settings
set disable-ipv6=yes
/system identity
set name=kashiwa
/system logging
add action=loghost topics=info
/system ntp client
set enabled=yes
/system ntp client servers
add address=203.0.113.123
/tool bandwidth-server
set enabled=no
/tool mac-server
set allowed-interface-list=LAN
/tool mac-server mac-winbox
set allowed-interface-list=LAN
/user settings
set minimum-categories=4 minimum-password-length=15
